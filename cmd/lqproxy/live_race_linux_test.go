//go:build race

package main

// liveRace has the proxy built as the test was.
const liveRace = true
