//go:build race

package proxy_test

const attackRace = true
