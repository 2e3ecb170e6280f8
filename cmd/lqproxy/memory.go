package main

import (
	"os"
	"runtime/debug"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

const (
	// memoryShare is how much of the memory of the cgroup, or else of the
	// machine, this process may take before it collects garbage in earnest.
	// During an upgrade two processes share it.
	memoryShare = 0.45

	// garbageRatio lets the heap grow to four times of what is in use: that is
	// little, and collecting costs processor time. With 400, 1,000 busy
	// connections took 94 MiB, which is too near to the 96 that they may. The
	// limit above comes first.
	garbageRatio = 300
)

// limitMemory bounds the memory of this process, unless the environment does.
// Where the limit cannot be told there is none.
func limitMemory() {
	_, _ = memlimit.Set(memlimit.WithRatio(memoryShare),
		memlimit.WithProvider(memlimit.ApplyFallback(memlimit.FromCgroup, memlimit.FromSystem)))
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbageRatio)
	}
}
