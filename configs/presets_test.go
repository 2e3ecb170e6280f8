package configs

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestPresetsInForce(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		file string
		want map[string][]string
	}{
		{
			"one",
			`allow.presets = ["fpy-production"]`,
			map[string][]string{"fpy-production": {"52.82.125.155", "82.157.180.203"}},
		},
		{
			"all",
			`allow.presets = ["kingdee-all"]`,
			map[string][]string{"kingdee-all": {
				"49.4.80.61", "124.70.28.68", "49.4.83.185", "121.36.53.241",
				"68.79.14.3", "82.156.30.248", "52.82.125.155", "82.157.180.203",
			}},
		},
		{
			"one added",
			"allow.presets = [\"fpy-sandbox\", \"own\"]\n[presets]\nown = [\"10.0.0.0/8\"]",
			map[string][]string{"fpy-sandbox": {"68.79.14.3", "82.156.30.248"}, "own": {"10.0.0.0/8"}},
		},
		{
			"one replaced, and with it a part of all",
			"allow.presets = [\"kingdee-all\"]\n[presets]\nfpy-production = [\"52.82.125.1\"]",
			map[string][]string{"kingdee-all": {
				"49.4.80.61", "124.70.28.68", "49.4.83.185", "121.36.53.241",
				"68.79.14.3", "82.156.30.248", "52.82.125.1",
			}},
		},
		{
			"all replaced",
			"allow.presets = [\"kingdee-all\"]\n[presets]\nkingdee-all = [\"52.82.125.1\"]",
			map[string][]string{"kingdee-all": {"52.82.125.1"}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c, err := Parse([]byte(tt.file))
			if err != nil {
				t.Fatal(err)
			}
			got := map[string][]string{}
			for _, p := range c.InForce() {
				got[p.Name] = formatList(p.Addresses, source())
				for _, a := range p.Addresses {
					if !c.Proxy.Sources.Contains(a.Addr()) {
						t.Errorf("Proxy.Sources does not contain %s of %s", a, p.Name)
					}
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("InForce() of %q (-want +got):\n%s", tt.file, diff)
			}
		})
	}
}

func TestBuiltInPresetsAreDatedAndDescribed(t *testing.T) {
	t.Parallel()
	for _, p := range builtIn() {
		if _, err := time.Parse(time.DateOnly, p.Date); err != nil || p.Purpose == "" {
			t.Errorf("preset %s has date %q and purpose %q, want both", p.Name, p.Date, p.Purpose)
		}
	}
}
