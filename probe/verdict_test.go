package probe

import (
	"encoding/json"
	"slices"
	"testing"
)

func TestExitCodes(t *testing.T) {
	t.Parallel()
	want := map[Verdict]int{
		Reached: 0, PathOpen: 0, ProxyFailed: 1, Forbidden: 4,
		Unresolved: 5, TimedOut: 5, ConnectRefused: 5, Reset: 5, Unreachable: 5, TLSFailed: 5, IdentityChanged: 5,
		IPNotFiled: 6, WrongPath: 6, Limited: 6, Unexpected: 6,
	}
	for _, v := range Verdicts {
		code, known := want[v]
		if !known || v.ExitCode() != code {
			t.Errorf("%q.ExitCode() = %d, want %d", v, v.ExitCode(), code)
		}
		delete(want, v)
	}
	if len(want) > 0 {
		t.Errorf("Verdicts lacks %v", want)
	}
	if got := Verdict("").ExitCode(); got != 1 {
		t.Errorf("no verdict: ExitCode() = %d, want 1", got)
	}
}

func TestVerdictInJSON(t *testing.T) {
	t.Parallel()
	for v, want := range map[Verdict]string{"": "null", TimedOut: `"timed_out"`} {
		if got, err := json.Marshal(v); err != nil || string(got) != want {
			t.Errorf("Marshal(%q) = %s, %v, want %s", v, got, err, want)
		}
	}
	var v Verdict
	if err := json.Unmarshal([]byte("null"), &v); err != nil || v != "" {
		t.Errorf("Unmarshal(null) = %q, %v, want none", v, err)
	}
}

func TestJudgePath(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		connects []Verdict
		tls      []Verdict
		want     Verdict
	}{
		{"one that is well", []Verdict{TimedOut, PathOpen}, []Verdict{PathOpen}, PathOpen},
		{"one handshake of two", []Verdict{PathOpen, PathOpen}, []Verdict{TLSFailed, PathOpen}, PathOpen},
		{"silence tells more than a missing route", []Verdict{Unreachable, TimedOut}, nil, TimedOut},
		{"silence tells more than a refusal", []Verdict{ConnectRefused, TimedOut}, nil, TimedOut},
		{"reset", []Verdict{ConnectRefused, Reset, Unreachable}, nil, Reset},
		{"refused", []Verdict{Unreachable, ConnectRefused}, nil, ConnectRefused},
		{"no route", []Verdict{Unreachable}, nil, Unreachable},
		{"the farthest decides", []Verdict{TimedOut, PathOpen}, []Verdict{TLSFailed}, TLSFailed},
		{"a certificate is farther than a handshake", []Verdict{PathOpen, PathOpen}, []Verdict{TLSFailed, IdentityChanged}, IdentityChanged},
		{"the first of equals", []Verdict{PathOpen, PathOpen}, []Verdict{Reset, TLSFailed}, Reset},
	} {
		var connects []Connect
		for _, v := range tt.connects {
			connects = append(connects, Connect{Verdict: v})
		}
		var handshakes []Handshake
		for _, v := range tt.tls {
			handshakes = append(handshakes, Handshake{Verdict: v})
		}
		if got := judgePath(connects, handshakes); got != tt.want {
			t.Errorf("%s: judgePath(%v, %v) = %q, want %q", tt.name, tt.connects, tt.tls, got, tt.want)
		}
	}
}

func TestJudgeAnswer(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		answer      Attempt
		direct, via Verdict
	}{
		{Attempt{Status: 200, Code: "bad_json"}, Reached, Reached},
		{Attempt{Status: 200, Code: "200"}, Reached, Reached},
		{Attempt{Status: 500, Code: "500"}, Reached, Reached},
		{Attempt{Status: 200, Code: "4054"}, Reached, Reached},
		{Attempt{Status: 200, Code: "other"}, Reached, Reached},
		{Attempt{Status: 200, Code: "4067"}, IPNotFiled, IPNotFiled},
		{Attempt{Status: 403, Code: "4067"}, IPNotFiled, IPNotFiled},
		{Attempt{Status: 404, Code: "ResourceNotFound"}, WrongPath, WrongPath},
		{Attempt{Status: 200, Code: "flow_limited"}, Limited, Limited},
		{Attempt{Status: 403, Code: "403"}, Forbidden, Forbidden},
		{Attempt{Status: 200, Code: "403"}, Forbidden, Forbidden},
		{Attempt{Status: 403, Code: "other"}, Forbidden, Forbidden},
		{Attempt{Status: 200}, Unexpected, ProxyFailed},
		{Attempt{Status: 200, Code: "unread"}, Unexpected, ProxyFailed},
		{Attempt{Status: 502, Reason: "dial"}, Unexpected, ProxyFailed},
	} {
		if got := judgeAnswer(tt.answer); got != tt.direct {
			t.Errorf("judgeAnswer(%+v) = %q, want %q", tt.answer, got, tt.direct)
		}
		if got := judgeVia(tt.answer); got != tt.via {
			t.Errorf("judgeVia(%+v) = %q, want %q", tt.answer, got, tt.via)
		}
	}
}

func TestJudgeCall(t *testing.T) {
	t.Parallel()
	attempts := func(list ...Verdict) (all []Attempt) {
		for _, v := range list {
			all = append(all, Attempt{Verdict: v})
		}
		return all
	}
	for _, tt := range []struct {
		name        string
		via, direct []Verdict
		path, want  Verdict
	}{
		{"the last attempt counts", []Verdict{Forbidden, Forbidden, Reached}, nil, PathOpen, Reached},
		{"403 to the end", []Verdict{Forbidden, Forbidden}, nil, PathOpen, Forbidden},
		{"through a proxy elsewhere", []Verdict{Reached}, nil, TimedOut, Reached},
		{"the way works, the proxy does not", []Verdict{ProxyFailed}, []Verdict{Forbidden, Reached}, PathOpen, ProxyFailed},
		{"neither works", []Verdict{ProxyFailed}, []Verdict{IPNotFiled}, PathOpen, IPNotFiled},
		{"no way for either", []Verdict{ProxyFailed}, nil, TimedOut, TimedOut},
	} {
		c := Call{Attempts: attempts(tt.via...), Direct: attempts(tt.direct...)}
		if got := judgeCall(c, tt.path); got != tt.want {
			t.Errorf("%s: judgeCall() = %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestWorstIsTheHighestExitCode(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ calls, want []Verdict }{
		{[]Verdict{Reached}, []Verdict{Reached}},
		{[]Verdict{Reached, Forbidden}, []Verdict{Forbidden}},
		{[]Verdict{IPNotFiled, Forbidden}, []Verdict{IPNotFiled}},
		{[]Verdict{Limited, WrongPath}, []Verdict{Limited}},
		{[]Verdict{Reached, ProxyFailed}, []Verdict{ProxyFailed}},
	} {
		var calls []Call
		for _, v := range tt.calls {
			calls = append(calls, Call{Verdict: v})
		}
		if got := worst(calls); !slices.Equal([]Verdict{got}, tt.want) {
			t.Errorf("worst(%v) = %q, want %v", tt.calls, got, tt.want)
		}
	}
}

func TestExcerpt(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ body, want string }{
		{"", ""},
		{"<html>\r\n<title>403\tForbidden</title>", "<html> <title>403 Forbidden</title>"},
		{"\x1b[31mred", "[31mred"},
		{"\xb4\xfa\xc0\xed", ""},
		{"代理", "代理"},
		{string(slices.Repeat([]byte("税"), 100)), string(slices.Repeat([]byte("税"), 53))},
	} {
		if got := excerpt([]byte(tt.body)); got != tt.want {
			t.Errorf("excerpt(%q) = %q, want %q", tt.body, got, tt.want)
		}
	}
}
