package leqisim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// Environment is the part of the platform that a path leads to.
type Environment string

// The environments. A path that the platform does not have is of none.
const (
	Production Environment = "production"
	Sandbox    Environment = "sandbox"
	Control    Environment = "control"
	Auth       Environment = "auth"
)

// Texts of the platform that clients look for.
const (
	textEmpty     = "json数据格式不正确"
	textForbidden = "403:Forbidden, Connection:Close"
	textLimited   = codeLimited + "，请5分钟后重试，将访问并发控制在%d以内"
)

// Codes of the platform that it answers on its own here.
const (
	codeSuccess          = "200"
	codeWrongKey         = "4057"
	codeNoUnit           = "4054"
	codeNoUsingUnit      = "4055"
	codeResourceNotFound = "ResourceNotFound"
	codeLimited          = "当前访问请求较多"
)

// meanings are the messages that come with codes.
var meanings = map[string]string{
	"4047":               "未查询到该单位的测试批次号",
	codeNoUnit:           "未查询到直连单位",
	codeNoUsingUnit:      "未查询到使用单位",
	codeWrongKey:         "报文解密失败",
	"4067":               "当前请求来源IP与企业备案出口IP不一致",
	codeResourceNotFound: "资源不存在",
}

// place fills what the path of x says. Service and ability are any words of the right form: which
// of them exist is not judged.
func place(x *Exchange) {
	path, _, _ := strings.Cut(x.Target, "?")
	path = strings.TrimSuffix(path, "/")
	for _, p := range []struct {
		prefix      string
		environment Environment
	}{
		{"/access/newsandbox/v2/invoke/", Sandbox},
		{"/access/sandbox/v2/invoke/", Sandbox},
		{"/access/sandbox_kzfw/v1/", Control},
		{"/access/v2/invoke/", Production},
		{"/access/v1/", Auth},
	} {
		if rest, ok := strings.CutPrefix(path, p.prefix); ok {
			x.Environment = p.environment
			x.locate(strings.Split(rest, "/"))
			break
		}
	}
	x.Unit, _ = x.Value("jrdwptbh")
}

// locate reads the segments behind the prefix of the environment: ability and service, or a service
// alone, which makes a call of production one of control.
func (x *Exchange) locate(segments []string) {
	ability, service := "", segments[len(segments)-1]
	invoke := x.Environment == Production || x.Environment == Sandbox
	switch {
	case len(segments) == 2 && invoke:
		ability = segments[0]
	case len(segments) == 1 && x.Environment == Production:
		x.Environment = Control
	case len(segments) != 1 || invoke:
		x.Environment = ""
		return
	}
	if service == "" || strings.ContainsFunc(service+ability, func(c rune) bool { return c != '_' && !alphanumeric(c) }) {
		x.Environment = ""
		return
	}
	x.Ability, x.Service = ability, service
}

func alphanumeric(c rune) bool {
	return 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || '0' <= c && c <= '9'
}

// verdict returns the code and, for a text that has no code, the text that the platform answers to x with.
func verdict(x *Exchange) (code, text string) {
	mediaType, _ := x.Value("Content-Type")
	mediaType, _, _ = strings.Cut(mediaType, ";")
	usingUnit, _ := x.Value("sydwptbh")
	switch {
	case x.Environment == "" || x.Method != "POST":
		return codeResourceNotFound, ""
	case !equalFold(strings.Trim(mediaType, " \t"), "application/json"):
		return codeWrongKey, ""
	case x.Environment == Auth:
		return codeSuccess, ""
	case x.Unit == "":
		return codeNoUnit, ""
	case usingUnit == "":
		return codeNoUsingUnit, ""
	case x.BodyBytes == 0 && x.Whole:
		return codeSuccess, textEmpty
	}
	return codeSuccess, ""
}

// A payload is a body with a stretch of fill bytes 'A' in it, which need no memory.
type payload struct {
	before, after []byte
	fill          int64
}

func (p payload) size() int64 { return int64(len(p.before)+len(p.after)) + p.fill }

func (p payload) reader() io.Reader {
	return io.MultiReader(bytes.NewReader(p.before), io.LimitReader(filler{}, p.fill), bytes.NewReader(p.after))
}

// A filler is an endless stream of 'A'.
type filler struct{}

func (filler) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'A'
	}
	return len(p), nil
}

// content returns the body of the answer to x, and its platform code.
func content(x *Exchange, b Behaviour) (p payload, code string) {
	request := fmt.Sprintf("%032x", x.Number)
	switch {
	case b.Body != nil:
		return payload{before: b.Body}, ""
	case b.Status == 403:
		return payload{before: []byte(textForbidden)}, ""
	case b.Limit > 0:
		return envelope(fmt.Sprintf(textLimited, b.Limit), codeSuccess), codeLimited
	case b.Code != "" && b.Code != codeSuccess:
		return failure(b.Code), b.Code
	case b.Code != "" || b.Size > 0:
		return success(request, b.Size), codeSuccess
	}
	code, text := verdict(x)
	switch {
	case text != "":
		return envelope(text, codeSuccess), text
	case code != codeSuccess:
		return failure(code), code
	}
	return success(request, 0), code
}

// envelope wraps the inner answer as the platform does: a string within JSON.
func envelope(inner, code string) payload {
	return payload{before: []byte(`{"body":` + quote(inner) + `,"httpStatusCode":` + quote(code) + `}`)}
}

// failure is an error of the platform. Numbers stand outside, words inside alone.
func failure(code string) payload {
	outer := code
	if strings.Trim(code, "-0123456789") != "" {
		outer = codeSuccess
	}
	return envelope(`{"Response":{"Error":{"Code":`+quote(code)+`,"Message":`+quote(meanings[code])+`}}}`, outer)
}

// success is an answer with data of 64 bytes, or as many as make the whole of the given size.
func success(request string, size int64) payload {
	inner := `{"Response":{"RequestId":` + quote(request) + `,"Data":"`
	p := payload{
		before: []byte(strings.TrimSuffix(`{"body":`+quote(inner), `"`)),
		after:  []byte(strings.TrimPrefix(quote(`"}}`), `"`) + `,"httpStatusCode":"200"}`),
		fill:   64,
	}
	if size > 0 {
		p.fill = max(0, size-int64(len(p.before)+len(p.after)))
	}
	return p
}

// quote returns s as a JSON string.
func quote(s string) string {
	q, err := json.Marshal(s)
	if err != nil {
		panic("BUG: leqisim: quoting " + s + ": " + err.Error())
	}
	return string(q)
}
