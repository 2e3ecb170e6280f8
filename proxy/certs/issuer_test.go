package certs

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

// What certmagic calls an error may be over at the next attempt.
func TestCertmagicIsTakenALevelLower(t *testing.T) {
	t.Parallel()
	core, log := observer.New(zapcore.InfoLevel)
	quiet := zap.New(quieter{core}).With(zap.String("key", "value"))
	quiet.Debug("debug")
	quiet.Info("info")
	quiet.Warn("warn")
	quiet.Error("error")
	var got []string
	for _, e := range log.All() {
		got = append(got, e.Level.String()+" "+e.Message)
		if e.ContextMap()["key"] != "value" {
			t.Errorf("%s lost its fields: %v", e.Message, e.ContextMap())
		}
	}
	if diff := cmp.Diff([]string{"info warn", "warn error"}, got); diff != "" {
		t.Errorf("log of level info (-want +got):\n%s", diff)
	}
}

func TestOpenACMERefusesAnAddressThatIsNone(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"", "8880", ":http"} {
		o := ACMEOptions{Directory: "https://127.0.0.1:1/", Names: names, Folder: t.TempDir(), Challenges: address}
		if m, err := OpenACME(o, Options{}); err == nil || m != nil {
			t.Errorf("OpenACME with challenges at %q = %v, %v, want an error", address, m, err)
		}
	}
}
