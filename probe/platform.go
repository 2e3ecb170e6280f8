package probe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/lqproxy/lqproxy/proxy/h1"
	"github.com/lqproxy/lqproxy/proxy/leqi"
	"github.com/lqproxy/lqproxy/proxy/upstream"
)

// Bounds of what is read of an answer. The one to the empty call is short; a
// longer one is read for the code at its end.
const (
	answerSize       = 64 << 20
	answerKept       = 64 << 10
	answerHeadSize   = 64 << 10
	answerFieldCount = 1000
	maxInterim       = 8
	textSize         = 160 // of an Attempt's Text, in bytes
)

var answerRules = h1.Rules{HeadSize: answerHeadSize, FieldCount: answerFieldCount}

// call is stage 4 for one target.
func (p *prober) call(ctx context.Context, t Target, path Verdict) Call {
	if t.UsingUnit == "" {
		t.UsingUnit = t.Unit
	}
	for _, id := range []string{t.Unit, t.UsingUnit} {
		if len(id) != UnitLength {
			p.warn(WarnUnitLength, id)
		}
	}
	c := Call{Environment: t.Environment, Unit: t.Unit, UsingUnit: t.UsingUnit, Name: t.Name, Path: pathOf(t.Environment, p.o.Ability)}
	ask := p.direct
	if p.o.Via != nil {
		ask = p.via
	}
	c.Attempts = p.attempts(ctx, t, request(t, c.Path), ask)
	if ctx.Err() == nil && path == PathOpen && final(c.Attempts) == ProxyFailed {
		c.Direct = p.attempts(ctx, t, request(t, c.Path), p.direct)
	}
	if ctx.Err() == nil {
		c.Verdict = judgeCall(c, path)
	}
	return c
}

// pathOf returns the guide's address for connectivity tests.
func pathOf(e Environment, ability string) string {
	if e == Sandbox {
		return "/access/newsandbox/v2/invoke/" + ability + "/CXKYSL"
	}
	return "/access/v2/invoke/" + ability + "/CXKYSL"
}

// request returns a function that writes the guide's call to a host, as a
// caller of the proxy would: without a body, and so without a field that
// announces one.
func request(t Target, path string) func(host string) []byte {
	return func(host string) []byte {
		var b bytes.Buffer
		fmt.Fprintf(&b, "POST %s HTTP/1.1\r\nHost: %s\r\n", path, host)
		b.WriteString("User-Agent: lqproxy\r\nAccept: */*\r\nContent-Type: application/json\r\n")
		fmt.Fprintf(&b, "%s: %s\r\n%s: %s\r\n", leqi.FieldUnit, t.Unit, leqi.FieldUsingUnit, t.UsingUnit)
		if t.Environment == Sandbox {
			fmt.Fprintf(&b, "%s: 1\r\n", leqi.FieldSandbox)
		}
		b.WriteString("\r\n")
		return b.Bytes()
	}
}

// forwarded returns the request as the proxy would send it on to host.
func forwarded(request []byte, host string) ([]byte, error) {
	var (
		r     h1.Reader
		q     h1.Request
		rules = h1.Rules{HeadSize: len(request), FieldCount: answerFieldCount, Protected: h1.NewNames(leqi.Fields...)}
	)
	r.Reset(bytes.NewReader(request))
	defer r.Release()
	if err := r.ReadRequest(&q, &rules); err != nil {
		return nil, fmt.Errorf("reading the call to be made: %w", err)
	}
	return q.AppendForward(nil, host, h1.Names{}, q.Framing), nil
}

// direct makes one attempt over the proxy's own way.
func (p *prober) direct(ctx context.Context, request func(host string) []byte) (a Attempt) {
	start := time.Now()
	defer func() { a.Took = Took(time.Since(start)) }()

	a.Peer = p.address.String()
	message, err := forwarded(request(p.up.Authority()), p.up.Authority())
	if err != nil { // of an id that cannot stand in a field
		return a.failed(Unexpected, err)
	}
	link, err := p.up.Dial(ctx, p.address.Addr())
	if err != nil {
		return a.failed(judgeDial(err), err)
	}
	conn, err := link.Handshake(ctx)
	if err != nil {
		return a.failed(judgeHandshake(err, upstream.Refused(err)), err)
	}
	defer conn.Close()
	err = a.exchange(ctx, conn, message, p.o.AnswerTimeout)
	if a.Verdict = judgeAnswer(a); err != nil && a.Verdict == Unexpected {
		return a.failed(judgeExchange(err), err)
	}
	return a.clean()
}

// failed returns a with the error of an attempt without an answer.
func (a Attempt) failed(v Verdict, err error) Attempt {
	a.Verdict, a.Error = v, bare(err)
	return a
}

// clean returns a without the text of an answer that needs none.
func (a Attempt) clean() Attempt {
	if a.Verdict != Unexpected && a.Verdict != ProxyFailed && a.Verdict != Forbidden {
		a.Text = ""
	}
	return a
}

// A stream is a connection on which an exchange is made.
type stream interface {
	io.ReadWriter
	SetReadDeadline(time.Time) error
	SetWriteDeadline(time.Time) error
}

// exchange sends message and takes down the answer, within timeout. It ends
// early when ctx is done.
func (a *Attempt) exchange(ctx context.Context, s stream, message []byte, timeout time.Duration) error {
	limit := func(t time.Time) {
		s.SetWriteDeadline(t) //nolint:errcheck // the write will say it
		s.SetReadDeadline(t)  //nolint:errcheck // the read will say it
	}
	limit(time.Now().Add(timeout))
	stop := context.AfterFunc(ctx, func() { limit(time.Unix(1, 0)) })
	defer stop()

	_, sent := s.Write(message)
	// As in the proxy: what was answered before the write failed is still read.
	if err := a.readAnswer(s); err != nil {
		if a.Status == 0 && sent != nil {
			return fmt.Errorf("sending the call: %w", sent)
		}
		return readError(err, timeout)
	}
	return nil
}

// readError puts an error of reading into the words of the report. Where they
// say all, what the system said is left out on purpose.
func readError(err error, timeout time.Duration) error {
	switch {
	case isTimeout(err):
		return fmt.Errorf("no answer within %v", timeout)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errEnded
	}
	return err
}

var errEnded = errors.New("the connection ended before the answer was whole")

// readAnswer reads the final answer from src.
func (a *Attempt) readAnswer(src io.Reader) error {
	var (
		r   h1.Reader
		res h1.Response
	)
	r.Reset(src)
	defer r.Release()
	for range maxInterim + 1 {
		if err := r.ReadResponse(&res, []byte("POST"), &answerRules); err != nil {
			return err
		}
		if res.Status >= 200 {
			break
		}
		r.Finish()
	}
	a.Status = res.Status
	reason, _ := res.Value("X-Lqproxy-Reason")
	a.Reason = string(reason)
	coding, _ := res.Value("Content-Encoding")
	var sample leqi.Sample
	sample.Reset(coding)
	begin, err := readBody(&r, &sample)
	a.classify(begin, &sample)
	return err
}

// readBody reads the body as far as it is worth it, and returns its first
// bytes.
func readBody(r *h1.Reader, sample *leqi.Sample) (begin []byte, err error) {
	for size := 0; size < answerSize; {
		piece, err := r.Next()
		if errors.Is(err, io.EOF) {
			return begin, nil
		}
		if err != nil {
			return begin, err
		}
		size += len(piece)
		sample.Write(piece)
		begin = append(begin, piece[:min(len(piece), answerKept-len(begin))]...)
	}
	return begin, nil
}

// classify looks for what the platform says.
func (a *Attempt) classify(begin []byte, sample *leqi.Sample) {
	a.Text = excerpt(begin)
	if leqi.ProvesPath(begin) {
		a.Code = leqi.CodeBadJSON
		return
	}
	a.Code = sample.Code(a.Status)
	a.Limit, _ = sample.FlowLimit()
}

// excerpt returns how body begins, in one line; "" if it is no text.
func excerpt(body []byte) string {
	text := string(body[:min(len(body), textSize)])
	for i := 1; i < utf8.UTFMax && text != "" && !utf8.ValidString(text); i++ {
		text = text[:len(text)-1] // of a character that was cut
	}
	if !utf8.ValidString(text) {
		return ""
	}
	text = strings.Join(strings.Fields(text), " ")
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, text)
}
