package leqisim

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestScenarios(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	plain := regexp.MustCompile(`^[a-z0-9-]+$`)
	for _, s := range Scenarios() {
		if names[s.Name] || !plain.MatchString(s.Name) {
			t.Errorf("name %q is taken or not plain", s.Name)
		}
		names[s.Name] = true
		if s.English == "" || s.Chinese == "" || strings.ContainsAny(s.English+s.Chinese, "\n") {
			t.Errorf("%s: descriptions %q and %q, want one line each", s.Name, s.English, s.Chinese)
		}
		got, err := FindScenario(s.Name)
		if err != nil || got.Name != s.Name {
			t.Errorf("FindScenario(%s) = %s, %v", s.Name, got.Name, err)
		}
	}
	for name := range strings.FieldsSeq("ok forbidden flapping ip-not-filed wrong-key limited slow stalled reset truncated gzip banned " +
		"certificate-rotated no-names rsa-only close-idle malformed wrong-path") {
		if !names[name] {
			t.Errorf("no scenario %s", name)
		}
	}
}

func TestUnknownScenario(t *testing.T) {
	t.Parallel()
	_, err := FindScenario("okay")
	if err == nil || !strings.HasPrefix(err.Error(), `unknown scenario "okay": the known ones are ok, forbidden, `) {
		t.Errorf("FindScenario(okay) = %v, want the known names", err)
	}
}

// Every scenario starts, and those that answer answer what their name says.
func TestScenarioAnswers(t *testing.T) {
	t.Parallel()
	answers := map[string]string{
		"ok":           successOf(1),
		"forbidden":    textForbidden,
		"flapping":     textForbidden,
		"ip-not-filed": "当前请求来源IP与企业备案出口IP不一致",
		"wrong-key":    `\"Code\":\"4057\"`,
		"wrong-path":   "ResourceNotFound",
		"limited":      "将访问并发控制在5以内",
		"no-names":     successOf(1),
		"named":        successOf(1),
		"expired":      successOf(1),
		"close-idle":   successOf(1),
	}
	for _, scenario := range Scenarios() {
		t.Run(scenario.Name, func(t *testing.T) {
			t.Parallel()
			s := start(t, scenario.Options)
			want, ok := answers[scenario.Name]
			if !ok {
				return
			}
			if _, body := dial(t, s).ask(t, post(invoicePath, "x")); !strings.Contains(body, want) {
				t.Errorf("answer = %s, want %s in it", body, want)
			}
		})
	}
}

// The two lines with which the deployment guide tests the way to the platform.
func TestGuideLines(t *testing.T) {
	t.Parallel()
	curl, err := exec.LookPath("curl")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("curl is needed: %v", err)
		}
		t.Skipf("curl is not installed: %v", err)
	}
	s := start(t, Options{})
	common := []string{
		"-k", "-s", "-S", "--noproxy", "*", "--max-time", "20", "-X", "POST", "-H", "Content-Type: application/json",
		"-H", "jrdwptbh:" + unit, "-H", "sydwptbh:" + unit,
	}
	for _, more := range [][]string{
		{"-H", "sxcsbz:1", "https://" + s.Address().String() + "/access/newsandbox/v2/invoke/202007/CXKYSL"},
		{"https://" + s.Address().String() + "/access/v2/invoke/202007/CXKYSL"},
	} {
		args := slices.Concat(common, more)
		out, err := exec.CommandContext(t.Context(), curl, args...).CombinedOutput()
		if err != nil || !strings.Contains(string(out), "json数据格式不正确") {
			t.Errorf("curl %s = %s, %v, want json数据格式不正确 in it", strings.Join(args, " "), out, err)
		}
	}
	for i, want := range []Environment{Sandbox, Production} {
		if x := s.Exchanges()[i]; x.Environment != want || x.Malformed != "" || len(x.Raw) != 0 {
			t.Errorf("exchange %d = %s, malformed %q, body %q, want %s without a body", i, x.Environment, x.Malformed, x.Raw, want)
		}
	}
}
