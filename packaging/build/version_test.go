package main

import (
	"os/exec"
	"testing"
	"time"
)

func TestPackageVersion(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)
	for describe, want := range map[string]string{
		"v1.2.3":                  "1.2.3",
		"1.2.3":                   "1.2.3",
		"v1.2.3-dirty":            "1.2.3+dirty",
		"v1.2.3-5-g0123abc":       "1.2.3+5.g0123abc",
		"v1.2.3-5-g0123abc-dirty": "1.2.3+5.g0123abc.dirty",
		"v1.2.3-rc.1":             "1.2.3~rc.1",
		"v1.2.3-rc.1-5-g0123abc":  "1.2.3~rc.1+5.g0123abc",
		"v1.2.3-rc1-dirty":        "1.2.3~rc1+dirty",
		"0123abc":                 "0.0.0~git20260102150405.0123abc",
		"0123abc-dirty":           "0.0.0~git20260102150405.0123abc.dirty",
		"unknown":                 "0.0.0~git20260102150405",
		"":                        "0.0.0~git20260102150405",
		"v1.2.3 && rm":            "0.0.0~git20260102150405",
	} {
		if got := packageVersion(describe, at); got != want {
			t.Errorf("packageVersion(%q) = %q, want %q", describe, got, want)
		}
	}
}

// inOrder are states of a tree, as work goes on.
var inOrder = []string{"", "v1.2.3-rc.1", "v1.2.3-rc.1-2-gabc1234", "v1.2.3-rc.2", "v1.2.3", "v1.2.3-1-g0123abc", "v1.2.3-12-gabc1234", "v1.2.4", "v1.10.0"}

func TestPackageVersionsAreInOrder(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("dpkg"); err != nil {
		t.Skip("left out: needs dpkg")
	}
	for i, describe := range inOrder[1:] {
		a, b := packageVersion(inOrder[i], time.Unix(0, 0)), packageVersion(describe, time.Unix(0, 0))
		if err := exec.CommandContext(t.Context(), "dpkg", "--compare-versions", a, "lt", b).Run(); err != nil {
			t.Errorf("dpkg does not hold %s for older than %s", a, b)
		}
	}
	if _, err := exec.LookPath("rpm"); err != nil {
		t.Skip("left out: needs rpm")
	}
	for i, describe := range inOrder[1:] {
		a, b := packageVersion(inOrder[i], time.Unix(0, 0)), packageVersion(describe, time.Unix(0, 0))
		out, err := exec.CommandContext(t.Context(), "rpm", "--eval", `%{lua:print(rpm.vercmp("`+a+`", "`+b+`"))}`).Output()
		if err != nil || string(out) != "-1\n" {
			t.Errorf("rpm compares %s with %s: %q, %v, want -1", a, b, out, err)
		}
	}
}
