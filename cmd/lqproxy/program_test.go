package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

// programs are the processes of a story, by name.
type programs map[string]*program

type program struct {
	cmd  *exec.Cmd
	done chan error // of Wait
}

// keyPrograms is where a story keeps its programs.
const keyPrograms = "programs"

// exits is "exits CODE ARGUMENT...": runs lqproxy, which ends with that exit code.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	cmd := command(ts, args[1:])
	cmd.Stdout, cmd.Stderr = ts.Stdout(), ts.Stderr()
	_ = cmd.Run() // the exit code says it
	if got := strconv.Itoa(cmd.ProcessState.ExitCode()); got != args[0] {
		ts.Fatalf("lqproxy ended with %s, want %s", got, args[0])
	}
}

// command returns lqproxy as the story would run it.
func command(ts *testscript.TestScript, args []string) *exec.Cmd {
	cmd := exec.Command(find(ts, "lqproxy"), args...)
	cmd.Args[0] = "lqproxy"
	cmd.Dir = ts.MkAbs(".")
	for _, variable := range []string{"PATH", "HOME", "TMPDIR", "LANG", "LQPROXY_LANG"} {
		cmd.Env = append(cmd.Env, variable+"="+ts.Getenv(variable))
	}
	return cmd
}

// start is "start NAME ARGUMENT...": runs lqproxy beside the story, which ends
// it at the latest with itself. What it prints goes to NAME.out and NAME.err.
func start(ts *testscript.TestScript, _ bool, args []string) {
	name, work := args[0], ts.Getenv("WORK")
	cmd := command(ts, args[1:])
	cmd.Stdout, cmd.Stderr = create(ts, work, name+".out"), create(ts, work, name+".err")
	ts.Check(cmd.Start())
	p := &program{cmd, make(chan error, 1)}
	go func() { p.done <- cmd.Wait() }()
	ts.Value(keyPrograms).(programs)[name] = p
	ts.Defer(func() {
		if cmd.Process.Kill() == nil { // else it has ended
			<-p.done
		}
	})
}

// find returns a program of the story's PATH.
func find(ts *testscript.TestScript, name string) string {
	for _, folder := range filepath.SplitList(ts.Getenv("PATH")) {
		file := filepath.Join(folder, name)
		if _, err := os.Stat(file); err == nil {
			return file
		}
	}
	ts.Fatalf("%s is not in PATH", name)
	return ""
}

// create returns a new file, which is closed at the end of the story.
func create(ts *testscript.TestScript, folder, name string) *os.File {
	f, err := os.Create(filepath.Join(folder, name))
	ts.Check(err)
	ts.Defer(func() { f.Close() })
	return f
}

// signalProgram is "signal SIGNAL NAME".
func signalProgram(ts *testscript.TestScript, _ bool, args []string) {
	p := ts.Value(keyPrograms).(programs)[args[1]]
	ts.Check(p.cmd.Process.Signal(unix.SignalNum("SIG" + args[0])))
}

// finishProgram is "finish NAME CODE": waits until it has ended with that exit code.
func finishProgram(ts *testscript.TestScript, _ bool, args []string) {
	p := ts.Value(keyPrograms).(programs)[args[0]]
	select {
	case <-p.done:
	case <-time.After(patience):
		ts.Fatalf("%s still runs", args[0])
	}
	if got := strconv.Itoa(p.cmd.ProcessState.ExitCode()); got != args[1] {
		ts.Fatalf("%s ended with %s, want %s", args[0], got, args[1])
	}
}
