package migrate

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	crossplane "github.com/nginxinc/nginx-go-crossplane"
	"golang.org/x/text/encoding/simplifiedchinese"
)

// A directive of an nginx, with what its block holds; includes are resolved.
type directive struct {
	name  string
	args  []string
	block []directive // nil: it has none
	at    Place
	id    int // its own: several may stand in a line
}

// text returns d as it is written, without its block, cut to a line.
func (d directive) text() string {
	const most = 60
	s := printable(strings.Join(append([]string{d.name}, d.args...), " "))
	if r := []rune(s); len(r) > most {
		s = string(r[:most-3]) + "..."
	}
	return s
}

// arg returns the argument of that index, or nothing.
func (d directive) arg(i int) string {
	if i < len(d.args) {
		return d.args[i]
	}
	return ""
}

// find returns the directives of that name in block.
func find(block []directive, name string) []directive {
	var all []directive
	for _, d := range block {
		if d.name == name {
			all = append(all, d)
		}
	}
	return all
}

// A SyntaxError is a place at which a file is no configuration of nginx.
type SyntaxError struct {
	At   Place
	What string // in the words of the parser
}

// Error implements error.
func (e *SyntaxError) Error() string { return e.At.String() + ": " + e.What }

// A ReadError is a file that could not be read.
type ReadError struct {
	File string
	From Place // the include that names it; its zero value for the file that was asked for
	Err  error
}

// Error implements error.
func (e *ReadError) Error() string { return "reading " + e.File + ": " + e.Err.Error() }

// Unwrap returns why.
func (e *ReadError) Unwrap() error { return e.Err }

// Errors of a file that is of something else.
var (
	ErrBinary   = errors.New("is no text")
	ErrApache   = errors.New("is a configuration of Apache")
	ErrNotNginx = errors.New("is no configuration of nginx")
	ErrNoMain   = errors.New("holds no nginx.conf and no other *.conf")
	ErrNoFile   = errors.New("is no file")
	ErrTooBig   = errors.New("is larger than a configuration can be")
	ErrCycle    = errors.New("includes itself")
	ErrTooMany  = errors.New("includes too many files")
)

// Bounds of what is read.
const (
	mostFiles = 1000
	mostBytes = 4 << 20
)

// A reader reads the files of one nginx.
type reader struct {
	root    string   // the folder that relative names are relative to
	open    []string // the files that are being read, the innermost last
	files   int
	last    int     // the id given last
	recoded []Place // files that were not UTF-8
	barren  []directive
}

// readNginx reads file, or the nginx.conf in or below the folder of that name.
func readNginx(file string) (r *reader, tree []directive, err error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, nil, &ReadError{File: file, Err: cause(err)}
	}
	names := []string{file}
	if info.IsDir() {
		if names, err = mainFiles(file); err != nil {
			return nil, nil, err
		}
	}
	r = &reader{root: rootOf(names[0])}
	for _, name := range names {
		block, err := r.file(name, Place{})
		if err != nil {
			return nil, nil, err
		}
		tree = append(tree, block...)
	}
	return r, tree, nil
}

// mainFiles returns the nginx.conf of a folder, or all that it has.
func mainFiles(folder string) ([]string, error) {
	for _, name := range []string{"nginx.conf", "conf/nginx.conf"} {
		file := filepath.Join(folder, name)
		if _, err := os.Stat(file); err == nil {
			return []string{file}, nil
		}
	}
	names, _ := filepath.Glob(filepath.Join(globQuoted(folder), "*.conf")) // the pattern is well-formed
	if len(names) == 0 {
		return nil, &ReadError{File: folder, Err: ErrNoMain}
	}
	return names, nil
}

// globQuoted returns folder as a pattern that matches itself alone.
func globQuoted(folder string) string {
	return regexp.MustCompile(`[*?\[\\]`).ReplaceAllString(folder, `\$0`)
}

// rootOf returns the folder that nginx resolves names against: that of its main
// file, which may lie above.
func rootOf(file string) string {
	folder := folderOf(file)
	above := folder
	for range 3 {
		if _, err := os.Stat(filepath.Join(above, "nginx.conf")); err == nil {
			return above
		}
		above = filepath.Dir(above)
	}
	return folder
}

// folderOf returns the whole path of the folder that file is in, or that it is.
func folderOf(file string) string {
	if info, err := os.Stat(file); err != nil || !info.IsDir() {
		file = filepath.Dir(file)
	}
	if abs, err := filepath.Abs(file); err == nil {
		return abs
	}
	return file
}

// cause returns err without the English that says which file it is about.
func cause(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}

// shown returns file as it is shown to people.
func (r *reader) shown(file string) string {
	if abs, err := filepath.Abs(file); err == nil {
		file = abs
	}
	if rel, err := filepath.Rel(r.root, file); err == nil && !strings.HasPrefix(rel, "..") {
		return rel
	}
	return file
}

// file reads one file and what it includes. from is the include.
func (r *reader) file(name string, from Place) ([]directive, error) {
	fail := func(err error) ([]directive, error) {
		return nil, &ReadError{File: name, From: from, Err: cause(err)}
	}
	if slices.Contains(r.open, name) {
		return fail(ErrCycle)
	}
	if r.files++; r.files > mostFiles {
		return fail(ErrTooMany)
	}
	// Reading a pipe or a device would wait for ever; a person may name one.
	if info, err := os.Stat(name); from != (Place{}) && err == nil && !info.Mode().IsRegular() {
		return fail(ErrNoFile)
	}
	text, err := r.text(name)
	if err != nil {
		return fail(err)
	}
	parsed, err := parseNginx(name, text)
	if err != nil {
		return nil, r.syntax(name, text, err)
	}
	r.open = append(r.open, name)
	defer func() { r.open = r.open[:len(r.open)-1] }()
	return r.resolve(name, parsed)
}

// text returns a file as UTF-8 without a byte order mark. What is not UTF-8 is
// taken for GB18030, whose characters may hold the bytes of braces.
func (r *reader) text(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // it was only read
	text, err := io.ReadAll(io.LimitReader(f, mostBytes+1))
	switch {
	case err != nil:
		return nil, err
	case len(text) > mostBytes:
		return nil, ErrTooBig
	case bytes.IndexByte(text, 0) >= 0:
		return nil, ErrBinary
	case utf8.Valid(text):
		return bytes.TrimPrefix(text, []byte("\uFEFF")), nil
	}
	r.recoded = append(r.recoded, Place{File: r.shown(name)})
	return simplifiedchinese.GB18030.NewDecoder().Bytes(text)
}

// parseNginx parses one file. Where a directive may stand is not checked, as a
// file may be included anywhere.
func parseNginx(name string, text []byte) (crossplane.Directives, error) {
	lua := crossplane.Lua{}
	payload, err := crossplane.Parse(name, &crossplane.ParseOptions{
		SingleFile:                true,
		StopParsingOnError:        true,
		SkipDirectiveContextCheck: true,
		LexOptions:                crossplane.LexOptions{Lexers: []crossplane.RegisterLexer{lua.RegisterLexer()}},
		Open:                      func(string) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(text)), nil },
	})
	if err != nil {
		return nil, err
	}
	return payload.Config[0].Parsed, nil
}

// apache are the blocks that Apache has and nginx never.
var apache = regexp.MustCompile(`(?mi)^\s*<(VirtualHost|Directory|Location|IfModule|Proxy)\b`)

// syntax returns what is wrong with a file.
func (r *reader) syntax(name string, text []byte, err error) error {
	if apache.Match(text) {
		return &ReadError{File: name, Err: ErrApache}
	}
	e := &SyntaxError{At: Place{File: r.shown(name)}, What: err.Error()}
	if p, ok := errors.AsType[*crossplane.ParseError](err); ok {
		e.What = p.What
		if p.Line != nil {
			e.At.Line = *p.Line
		}
	}
	return e
}

// resolve turns what was parsed into our tree, with includes in their places.
func (r *reader) resolve(name string, parsed crossplane.Directives) ([]directive, error) {
	all := make([]directive, 0, len(parsed))
	for _, p := range parsed {
		r.last++
		d := directive{name: p.Directive, args: p.Args, at: Place{r.shown(name), p.Line}, id: r.last}
		if d.name == "include" && len(d.args) == 1 && p.Block == nil {
			block, err := r.include(d)
			if err != nil {
				return nil, err
			}
			all = append(all, block...)
			continue
		}
		if p.Block != nil {
			block, err := r.resolve(name, p.Block)
			if err != nil {
				return nil, err
			}
			d.block = block
		}
		all = append(all, d)
	}
	return all, nil
}

// unneeded are files of every nginx that say nothing about forwarding by HTTP.
var unneeded = []string{
	"mime.types", "fastcgi.conf", "fastcgi_params", "scgi_params", "uwsgi_params", "koi-utf", "koi-win", "win-utf",
}

// include reads what d names, in the order of nginx.
func (r *reader) include(d directive) ([]directive, error) {
	pattern := d.args[0]
	if slices.Contains(unneeded, filepath.Base(pattern)) {
		return nil, nil
	}
	if !filepath.IsAbs(pattern) {
		pattern = filepath.Join(r.root, pattern)
	}
	names := []string{pattern}
	if strings.ContainsAny(pattern, "*?[") {
		names, _ = filepath.Glob(pattern) // a malformed one matches nothing, as in nginx
		if len(names) == 0 {
			r.barren = append(r.barren, d)
		}
	}
	var all []directive
	for _, name := range names {
		block, err := r.file(name, d.at)
		if err != nil {
			return nil, err
		}
		all = append(all, block...)
	}
	return all, nil
}

// isNginx reports whether tree holds a block that only nginx has.
func isNginx(tree []directive) bool {
	return slices.ContainsFunc(tree, func(d directive) bool {
		return d.block != nil && slices.Contains([]string{"http", "server", "stream", "events", "upstream", "location", "map", "geo"}, d.name)
	})
}

// whole returns the tree with its http block, and whether it was there: a file
// of conf.d alone is what stands within.
func whole(tree []directive) (_ []directive, found bool) {
	if len(find(tree, "http"))+len(find(tree, "stream")) > 0 {
		return tree, true
	}
	return []directive{{name: "http", block: tree, at: tree[0].at}}, false
}

// notNginx is the error of a file that was read and is something else.
func notNginx(file string) error { return fmt.Errorf("%w", &ReadError{File: file, Err: ErrNotNginx}) }
