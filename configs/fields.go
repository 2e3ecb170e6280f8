package configs

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A field is one key of the file, bound to its place in a [Config].
type field struct {
	key string

	// read takes the value that the file has there, or notes a mistake.
	read func(r *reader, value any)

	// write returns the value as package toml encodes it; nil leaves it out.
	write func() any
}

// A reader reads keys and collects the mistakes that it meets.
type reader struct {
	doc      document
	key      string // being read
	mistakes Mistakes
}

// bad notes a mistake in the key being read.
func (r *reader) bad(m Mistake) { r.badAt(r.key, m) }

func (r *reader) badAt(key string, m Mistake) {
	m.Key, m.Line = key, r.doc.line(key)
	r.mistakes = append(r.mistakes, m)
}

// well reports whether none of keys, nor what is in them, has a mistake; to be
// misspelt is one.
func (r *reader) well(keys ...string) bool {
	return !slices.ContainsFunc(r.mistakes, func(m Mistake) bool {
		return slices.ContainsFunc(keys, func(key string) bool {
			return within(m.Key, key) || m.Kind == MisspeltKey && m.Proposal == strconv.Quote(key)
		})
	})
}

// within reports whether key is outer, or something in it.
func within(key, outer string) bool {
	rest, ok := strings.CutPrefix(key, outer)
	return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
}

// fields reads all that the file has of fields, the keys of table ("" is the
// file itself). What else it has there is unknown.
func (r *reader) fields(table string, fields []field) {
	for _, f := range fields {
		if value, ok := r.doc.values[f.key]; ok {
			r.key = f.key
			f.read(r, value)
		}
	}
	r.unknown(table, tablesAndKeys(fields))
}

// An element is what a list holds at one index.
func element(key string, i int) string { return fmt.Sprintf("%s[%d]", key, i) }

// A codec reads a value from a string and writes it as one.
type codec[T any] struct {
	parse  func(s string) (T, *Mistake)
	format func(T) string

	// unit, when set, is what a number without quotes lacks.
	unit string
}

// one binds key to a value.
func one[T any](key string, p *T, c codec[T]) field {
	return field{
		key: key,
		read: func(r *reader, value any) {
			if t, ok := readOne(r, value, c); ok {
				*p = t
			}
		},
		write: func() any { return c.format(*p) },
	}
}

// readOne reads value as c does, in the key being read.
func readOne[T any](r *reader, value any, c codec[T]) (T, bool) {
	var none T
	if n, ok := value.(int64); ok && c.unit != "" {
		_, m := c.parse(strconv.FormatInt(n, 10))
		m.Value = shown(value)
		r.bad(*m)
		return none, false
	}
	s, ok := value.(string)
	if !ok {
		r.bad(Mistake{Kind: NotString, Value: shown(value)})
		return none, false
	}
	t, m := c.parse(s)
	if m != nil {
		if m.Value == "" {
			m.Value = shown(s)
		}
		r.bad(*m)
		return none, false
	}
	return t, true
}

// list binds key to a list in which no value comes twice.
func list[T comparable](key string, p *[]T, c codec[T]) field {
	return field{
		key: key,
		read: func(r *reader, value any) {
			if ts, ok := readList(r, key, value, c); ok {
				*p = ts
			}
		},
		write: func() any { return formatList(*p, c) },
	}
}

// readList returns the elements of value, the zero T in place of a bad one; of
// an empty list, nil. It fails when value is no list.
func readList[T comparable](r *reader, key string, value any, c codec[T]) ([]T, bool) {
	r.key = key
	elements, ok := value.([]any)
	if !ok {
		r.bad(Mistake{Kind: NotList, Value: shown(value)})
		return nil, false
	}
	var ts []T
	first := map[T]int{}
	for i, e := range elements {
		r.key = element(key, i)
		t, ok := readOne(r, e, c)
		ts = append(ts, t)
		if at, twice := first[t]; ok && twice {
			r.bad(Mistake{Kind: Duplicate, Value: shown(e), Other: element(key, at)})
		} else if ok {
			first[t] = i
		}
	}
	return ts, true
}

func formatList[T any](ts []T, c codec[T]) []string {
	out := make([]string, len(ts))
	for i, t := range ts {
		out[i] = c.format(t)
	}
	return out
}

// boolean binds key to true or false.
func boolean(key string, p *bool) field {
	return field{
		key: key,
		read: func(r *reader, value any) {
			b, ok := value.(bool)
			if !ok {
				r.bad(Mistake{Kind: NotBoolean, Value: shown(value)})
				return
			}
			*p = b
		},
		write: func() any { return *p },
	}
}

// integer binds key to a whole number between least and most.
func integer(key string, p *int, least, most int) field {
	return field{
		key: key,
		read: func(r *reader, value any) {
			n, ok := value.(int64)
			switch {
			case !ok:
				r.bad(Mistake{Kind: NotInteger, Value: shown(value)})
			case n < int64(least) || n > int64(most):
				r.bad(Mistake{
					Kind: OutOfRange, Value: shown(value),
					Least: strconv.Itoa(least), Most: strconv.Itoa(most),
				})
			default:
				*p = int(n)
			}
		},
		write: func() any { return *p },
	}
}

// longestShown bounds how much of a value a mistake repeats, in bytes.
const longestShown = 120

// shown returns value as a mistake shows it: strings in quotes.
func shown(value any) string {
	switch v := value.(type) {
	case string:
		if len(v) > longestShown {
			v = strings.ToValidUTF8(v[:longestShown], "") + "..."
		}
		return strconv.Quote(v)
	case bool, int64, float64:
		return fmt.Sprint(v)
	default:
		return "" // tables, lists and dates: their texts name no value
	}
}
