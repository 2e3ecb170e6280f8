package words

import (
	"io"
	"strings"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/transform"
)

// EnvLang is the environment variable that names the language.
const EnvLang = "LQPROXY_LANG"

// Detect returns the language to speak: that of the flag --lang, else of [EnvLang], else of the key language of the
// configuration, else of the locale. "" and "auto" say nothing; getenv is os.Getenv.
func Detect(flag string, getenv func(string) string, configured string) Lang {
	for _, name := range []string{flag, getenv(EnvLang), configured} {
		if name != "" && name != "auto" {
			return langOf(name)
		}
	}
	return langOf(locale(getenv, "LC_MESSAGES"))
}

// Known reports whether name is one that --lang takes.
func Known(name string) bool {
	return name == "" || name == "auto" || name == string(English) || name == string(Chinese)
}

// langOf reads a language tag or the name of a locale: zh, zh-CN, zh_CN.UTF-8.
func langOf(name string) Lang {
	language := strings.ToLower(name)
	if i := strings.IndexAny(language, "_-.@"); i >= 0 {
		language = language[:i]
	}
	if language == string(Chinese) {
		return Chinese
	}
	return English
}

// locale returns the locale of a category, as POSIX has it: the first of these variables that is not empty.
func locale(getenv func(string) string, category string) string {
	for _, name := range []string{"LC_ALL", category, "LANG"} {
		if v := getenv(name); v != "" {
			return v
		}
	}
	return ""
}

// Transcode returns a writer that writes to w in the character set of the locale: GB18030 or GBK where the locale names
// one of them or an older one that it contains, else UTF-8, which is w itself. Characters that the set lacks become its
// substitute. The writer is not safe for concurrent use, and not meant for JSON.
func Transcode(w io.Writer, getenv func(string) string) io.Writer {
	set := charset(locale(getenv, "LC_CTYPE"))
	if set == nil {
		return w
	}
	return transform.NewWriter(w, encoding.ReplaceUnsupported(set.NewEncoder()))
}

// charset reads the character set of a locale like zh_CN.GB18030; nil is UTF-8. A bare zh_CN, which once meant GB2312,
// is taken for UTF-8: who writes it today has a UTF-8 terminal.
func charset(locale string) encoding.Encoding {
	_, set, _ := strings.Cut(locale, ".")
	set, _, _ = strings.Cut(set, "@")
	switch strings.ReplaceAll(strings.ToLower(set), "-", "") {
	case "gb18030":
		return simplifiedchinese.GB18030
	case "gbk", "cp936", "gb2312", "euccn":
		return simplifiedchinese.GBK
	}
	return nil
}
