package dialogue

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAsk(t *testing.T) {
	t.Parallel()
	digits := func(answer string) []string {
		if strings.Trim(answer, "0123456789") != "" {
			return []string{"digits, please"}
		}
		return nil
	}
	for name, tt := range map[string]struct {
		typed, want, printed string
		err                  error
	}{
		"an answer":              {"12\n", "12", "Port [8864]: ", nil},
		"an empty line":          {"\n", "8864", "Port [8864]: ", nil},
		"full width":             {"　１２ \r\n", "12", "Port [8864]: ", nil},
		"nothing":                {"-\n", "", "Port [8864]: ", nil},
		"nothing, in Chinese":    {"无\n", "", "Port [8864]: ", nil},
		"a bad answer, then one": {"x\n1\n", "1", "Port [8864]:   digits, please\nPort [8864]: ", nil},
		"the end":                {"", "", "Port [8864]: \n", ErrGone},
		"the end within a line":  {"12", "", "Port [8864]: \n", ErrGone},
	} {
		var out strings.Builder
		got, err := NewPerson(strings.NewReader(tt.typed), &out).Ask(t.Context(), Question{Text: "Port", Preset: "8864", Judge: digits})
		if got != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("%s: Ask() = %q, %v, want %q, %v", name, got, err, tt.want, tt.err)
		}
		if diff := cmp.Diff(tt.printed, out.String()); diff != "" {
			t.Errorf("%s: printed (-want +got):\n%s", name, diff)
		}
	}
}

func TestConfirm(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		typed        string
		preset, want bool
	}{
		{"\n", false, false},
		{"\n", true, true},
		{"是\n", false, true},
		{"Ｙ\n", false, true},
		{"maybe\nNO\n", true, false},
		{"否\n", true, false},
	} {
		var out strings.Builder
		got, err := NewPerson(strings.NewReader(tt.typed), &out).Confirm(t.Context(), "Go on?", tt.preset, "y or n")
		if got != tt.want || err != nil {
			t.Errorf("Confirm(%q, %v) = %v, %v, want %v", tt.typed, tt.preset, got, err, tt.want)
		}
		if asked := strings.Contains(tt.typed, "maybe"); strings.Contains(out.String(), "y or n") != asked {
			t.Errorf("Confirm(%q) printed %q, complaint want %v", tt.typed, out.String(), asked)
		}
	}
}

// Who presses Ctrl-C is heard while an answer is waited for.
func TestAskEndsWithItsContext(t *testing.T) {
	t.Parallel()
	in, typing := io.Pipe()
	defer typing.Close()
	ctx, end := context.WithCancelCause(t.Context())
	end(errors.New("interrupt"))
	_, err := NewPerson(in, io.Discard).Ask(ctx, Question{Text: "x"})
	if err == nil || err.Error() != "interrupt" {
		t.Errorf("Ask() = %v, want the cause", err)
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	got := List(Plain("１０.１.２.３，10.1.4.0/24、10.1.5.1；10.1.6.1  10。1.7.1"))
	want := []string{"10.1.2.3", "10.1.4.0/24", "10.1.5.1", "10.1.6.1", "10.1.7.1"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("List() (-want +got):\n%s", diff)
	}
}
