package proxy

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/lqproxy/lqproxy/proxy/h1"
)

// retryAfter is the wait in seconds that a caller is told with 503.
const retryAfter = 5

// An answerBody is what lqproxy itself says to a caller.
type answerBody struct {
	Error answerError `json:"error"`
}

type answerError struct {
	Reason    Reason `json:"reason"`
	Message   string `json:"message"`
	Hint      string `json:"hint"` // Chinese
	Delivered string `json:"delivered"`
	ID        string `json:"id"`
}

// answer writes our own answer to an exchange that failed before the
// upstream's head went out. It keeps the connection only when the request was
// read whole.
func (x *exchange) answer() {
	f := &x.failure
	if f.reason == ClientGone || f.reason == SourceRefused && x.c.role == callerRole {
		return // nobody is there to read it; a removed source is cut
	}
	fields, body := ownAnswer(f.reason, x.delivered, x.id[:])
	switch f.status {
	case http.StatusServiceUnavailable:
		fields += "Retry-After: " + strconv.Itoa(retryAfter) + "\r\n"
	case http.StatusMethodNotAllowed:
		fields += "Allow: POST\r\n" // the platform's only method (RFC 9110 section 15.5.6)
	}
	x.write(f.status, fields, body)
}

// ownAnswer returns the fields and the body that say why.
func ownAnswer(r Reason, delivered string, id []byte) (fields string, body []byte) {
	body, err := json.Marshal(answerBody{answerError{
		Reason:    r,
		Message:   r.Message(),
		Hint:      r.Hint(),
		Delivered: delivered,
		ID:        string(id),
	}})
	if err != nil {
		panic("BUG: proxy: an answer that cannot be encoded: " + err.Error())
	}
	return "X-Lqproxy-Reason: " + string(r) + "\r\nContent-Type: application/json; charset=utf-8\r\n", body
}

// write sends an answer of our own.
func (x *exchange) write(status int, fields string, body []byte) {
	x.status = status
	x.stays = x.requestRead() && x.mayStay()
	x.out = outlet{w: x.c.stream(), framing: h1.Framing{Kind: h1.Length, Length: int64(len(body))}}
	x.out.buf = appendOwn(x.scratch[:0], status, fields, body, x.ending())
	if x.head {
		x.out.buf = x.out.buf[:len(x.out.buf)-len(body)]
	}
	x.out.flush()
}

// appendOwn appends a whole answer of our own.
func appendOwn(b []byte, status int, fields string, body []byte, e h1.Ending) []byte {
	b = append(b, "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(status), 10)
	b = append(append(append(b, ' '), http.StatusText(status)...), "\r\n"...)
	b = append(b, "Date: "...)
	b = append(time.Now().UTC().AppendFormat(b, http.TimeFormat), "\r\n"...)
	b = append(b, fields...)
	b = append(b, "Content-Length: "...)
	b = append(strconv.AppendInt(b, int64(len(body)), 10), "\r\n"...)
	b = append(e.Append(b), "\r\n"...)
	return append(b, body...)
}

// requestRead reads what is left of the request if all of it has arrived
// already, and reports whether it is read whole.
func (x *exchange) requestRead() bool {
	in := &x.c.in
	if !x.parsed || x.rest != nil {
		return false
	}
	for err := error(nil); err == nil && !in.Whole(); {
		var piece []byte
		if piece, err = in.Ready(); len(piece) == 0 {
			break
		}
	}
	return in.Whole()
}

// answerMonitor answers a source of listen.health_from: whether exchanges are
// accepted, and nothing else.
func (x *exchange) answerMonitor() failure {
	if string(x.req.Method()) != http.MethodGet || string(x.req.Target()) != "/readyz" || x.req.Framing.Kind != h1.NoBody {
		return fail(SourceRefused, "a source of listen.health_from may ask for GET /readyz only")
	}
	x.uncounted = true
	const fields = "Content-Type: text/plain; charset=utf-8\r\nCache-Control: no-store\r\n"
	if x.c.srv.Ready() {
		x.write(http.StatusOK, fields, []byte("ready\n"))
	} else {
		x.write(http.StatusServiceUnavailable, fields, []byte("stopping\n"))
	}
	return failure{}
}
