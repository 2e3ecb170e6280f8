package main

import (
	"strings"
	"testing"
)

// What keeps upgrade --rollback from beginning. What it does is tested with the
// packages, which keep the former version.
func TestRollbackRefusals(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		args []string
		uid  int
		code int
		want string
	}{
		{nil, 1000, exitFailed, "run this as root"},
		{nil, 0, exitFailed, "no former version is kept on this machine"}, // beside the test's binary
		{[]string{"-i", "other"}, 0, exitUsage, "--instance does not go with --rollback"},
		{[]string{"-c", "lqproxy.toml"}, 0, exitUsage, "--config does not go with --rollback"},
	} {
		var stderr strings.Builder
		p := process{stdout: &stderr, stderr: &stderr, getenv: func(string) string { return "" }, uid: test.uid}
		code := run(t.Context(), append([]string{"upgrade", "--rollback", "--lang", "en"}, test.args...), p)
		if code != test.code || !strings.Contains(stderr.String(), test.want) {
			t.Errorf("upgrade --rollback %v as user %d = %d, %q, want %d, %q", test.args, test.uid, code, stderr.String(), test.code, test.want)
		}
	}
}
