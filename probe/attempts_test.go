package probe

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// play runs r with the given answers, and returns the attempts and when each
// began.
func play(ctx context.Context, r retry, answers ...Verdict) (all []Attempt, at []time.Duration) {
	start := time.Now()
	all = r.run(ctx, func(context.Context) Attempt {
		at = append(at, time.Since(start))
		return Attempt{Verdict: answers[min(len(at), len(answers))-1]}
	})
	return all, at
}

func ignore(int, time.Duration) {}

func TestRetryWaitsLongerAfterEach403(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		retry   retry
		answers []Verdict
		waits   []time.Duration // the least; a fifth more is allowed
		want    Verdict
	}{
		{"success at once", retry{5, 3 * time.Second, ignore}, []Verdict{Reached}, nil, Reached},
		{"one success is enough", retry{5, 3 * time.Second, ignore}, []Verdict{Forbidden, Forbidden, Reached}, []time.Duration{3 * time.Second, 6 * time.Second}, Reached},
		{"never", retry{5, 3 * time.Second, ignore}, []Verdict{Forbidden}, seconds(3, 6, 12, 24), Forbidden},
		{"never in ten", retry{10, 3 * time.Second, ignore}, []Verdict{Forbidden}, seconds(3, 6, 12, 24, 30, 30, 30, 30, 30), Forbidden},
		{"a long wait", retry{3, time.Minute, ignore}, []Verdict{Forbidden}, seconds(30, 30), Forbidden},
		{"once", retry{1, 3 * time.Second, ignore}, []Verdict{Forbidden}, nil, Forbidden},
		{"only 403 is tried again", retry{5, 3 * time.Second, ignore}, []Verdict{Forbidden, Unexpected, Reached}, seconds(3), Unexpected},
		{"flow control is not tried again", retry{5, 3 * time.Second, ignore}, []Verdict{Limited, Reached}, nil, Limited},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				all, at := play(t.Context(), tt.retry, tt.answers...)
				if got := final(all); got != tt.want || len(at) != len(tt.waits)+1 {
					t.Fatalf("run() = %q at %v, want %q after waits of %v", got, at, tt.want, tt.waits)
				}
				for i, least := range tt.waits {
					wait := at[i+1] - at[i]
					if wait < least || wait > least+least/5 || Took(wait) != all[i+1].Waited {
						t.Errorf("attempt %d came after %v (reported %v), want %v and at most a fifth more", i+2, wait, time.Duration(all[i+1].Waited), least)
					}
				}
			})
		})
	}
}

func seconds(list ...int) (all []time.Duration) {
	for _, n := range list {
		all = append(all, time.Duration(n)*time.Second)
	}
	return all
}

func TestRetryTellsWhatItDoes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var told []string
		r := retry{3, 3 * time.Second, func(attempt int, wait time.Duration) {
			told = append(told, fmt.Sprintf("%d after %v", attempt, wait.Truncate(3*time.Second)))
		}}
		play(t.Context(), r, Forbidden, Forbidden, Reached)
		want := []string{"1 after 0s", "2 after 3s", "2 after 0s", "3 after 6s", "3 after 0s"}
		if !slices.Equal(told, want) {
			t.Errorf("told %q, want %q", told, want)
		}
	})
}

func TestRetryEndsInItsWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
		defer cancel()
		start := time.Now()
		all, _ := play(ctx, retry{5, 10 * time.Second, ignore}, Forbidden)
		if took := time.Since(start); len(all) != 1 || took != 4*time.Second {
			t.Errorf("run() = %d attempts after %v, want 1 after 4s", len(all), took)
		}
	})
}
