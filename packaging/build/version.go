package main

import (
	"regexp"
	"strings"
	"time"
)

// described is what git describe says where there is a tag: v1.2.3, v1.2.3-rc.1,
// v1.2.3-5-g0123abc, and each with -dirty behind it.
var described = regexp.MustCompile(`^v?(\d+\.\d+\.\d+)(?:-([0-9A-Za-z.]+?))??(?:-(\d+)-g([0-9a-f]+))?(-dirty)?$`)

// commit is what it says where there is none.
var commit = regexp.MustCompile(`^([0-9a-f]{7,40})(-dirty)?$`)

// packageVersion turns what git describe says into a version that dpkg, rpm and
// people order in the same way:
//
//	v1.2.3              1.2.3
//	v1.2.3-rc.1         1.2.3~rc.1                     before 1.2.3
//	v1.2.3-5-g0123abc   1.2.3+5.g0123abc               after it, before 1.2.4
//	0123abc             0.0.0~git20260102150405.0123abc before every release
//
// A tree with changes is .dirty (+dirty) on top of that. Anything else is a
// version without a name, of that time.
func packageVersion(describe string, at time.Time) string {
	stamp := "0.0.0~git" + at.UTC().Format("20060102150405")
	if m := commit.FindStringSubmatch(describe); m != nil {
		return stamp + "." + m[1] + strings.ReplaceAll(m[2], "-", ".")
	}
	m := described.FindStringSubmatch(describe)
	if m == nil {
		return stamp
	}
	version, prerelease, ahead, hash, dirty := m[1], m[2], m[3], m[4], m[5]
	if prerelease != "" {
		version += "~" + prerelease
	}
	var build []string
	if ahead != "" {
		build = append(build, ahead, "g"+hash)
	}
	if dirty != "" {
		build = append(build, "dirty")
	}
	if len(build) > 0 {
		version += "+" + strings.Join(build, ".")
	}
	return version
}
