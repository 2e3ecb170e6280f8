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

	// garbageRatio lets the heap grow to five times of what is in use: that is
	// little, and collecting costs processor time. The limit above comes first.
	garbageRatio = 400
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
