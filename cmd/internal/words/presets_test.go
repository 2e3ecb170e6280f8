package words

import (
	"testing"

	"github.com/lqproxy/lqproxy/configs"
)

func TestPresetPurpose(t *testing.T) {
	t.Parallel()
	known := configs.Default().Presets
	for _, p := range known {
		if got, want := PresetPurpose(English, p), p.Purpose; got != want {
			t.Errorf("PresetPurpose(English, %s) = %q, want %q", p.Name, got, want)
		}
		if got, want := PresetPurpose(Chinese, p), presetPurposes[p.Name]; got != want || got == "" {
			t.Errorf("PresetPurpose(Chinese, %s) = %q, want %q", p.Name, got, want)
		}
	}
	if got, want := len(presetPurposes), len(known); got != want {
		t.Errorf("purposes in Chinese: %d, want one for each of the %d sets", got, want)
	}
	own := configs.Preset{Name: known[0].Name}
	if got := PresetPurpose(Chinese, own); got != "" {
		t.Errorf("PresetPurpose of a set of the file = %q, want none", got)
	}
}
