//go:build !race

package proxy_test

// underRace says that times and sizes are those of the race detector.
const underRace = false
