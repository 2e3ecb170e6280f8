//go:build !race

package proxy_test

const attackRace = false
