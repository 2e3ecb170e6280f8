package words

import (
	"io"

	"golang.org/x/text/transform"
)

// Incoming returns a reader of what r has in the character set of the locale: the other direction of [Transcode].
func Incoming(r io.Reader, getenv func(string) string) io.Reader {
	set := charset(locale(getenv, "LC_CTYPE"))
	if set == nil {
		return r
	}
	return transform.NewReader(r, set.NewDecoder())
}
