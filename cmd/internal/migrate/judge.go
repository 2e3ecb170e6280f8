package migrate

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lqproxy/lqproxy/configs"
)

// judge returns what package configs finds wrong with a value of key; nil if it
// takes it. What is permitted is known there alone.
func judge(key, value string, inList bool) *configs.Mistake {
	text := quote(value)
	if inList {
		text = "[" + text + "]"
	}
	file := key + " = " + text + "\n"
	if key != "allow.sources" {
		file += admitting
	}
	_, err := configs.Parse([]byte(file))
	mistakes, _ := errors.AsType[configs.Mistakes](err)
	for _, m := range mistakes {
		if m.Key == key || strings.HasPrefix(m.Key, key+"[") {
			return &m
		}
	}
	return nil
}

// admitting is what a file says so that its only mistakes are those looked for.
const admitting = "allow.sources = [\"127.0.0.1\"]\n"

// isDefault reports whether k says what holds without it.
func (k *Key) isDefault() bool {
	if k.Name == "allow.sources" || !k.isSet() || len(k.Elements) > 0 && !k.plain() {
		return false
	}
	with, err := configs.Parse([]byte(k.line() + admitting))
	if err != nil {
		return false // it needs others beside it
	}
	without, err := configs.Parse([]byte(admitting))
	return err == nil && bytes.Equal(with.Effective(), without.Effective())
}

// line returns k as a line of the file.
func (k *Key) line() string {
	var out bytes.Buffer
	k.write(&out, k.Name, func(Note) []string { return nil })
	return out.String()
}

// dropDefaults leaves out what need not be written. Notes stay.
func (d *Draft) dropDefaults() {
	for i := range d.Keys {
		if k := &d.Keys[i]; k.isDefault() {
			k.Value, k.Elements = "", nil
		}
	}
	d.Keys = slices.DeleteFunc(d.Keys, func(k Key) bool { return len(k.Notes) == 0 && k.Value == "" && len(k.Elements) == 0 })
}

// set gives key a value.
func (d *Draft) set(key, value string) { d.key(key).Value = value }

// setWithin gives key a value that is out of range to the nearest bound, and
// says so. n is the value as a number, read reads one.
func (d *Draft) setWithin(key, value string, n int64, read func(string) int64, from Note) {
	m := judge(key, value, false)
	if m != nil && m.Kind == configs.OutOfRange {
		value = m.Most
		if n < read(m.Least) {
			value = m.Least
		}
		from.Kind, from.Value = Clamped, value
		d.note(key, from)
	}
	d.set(key, value)
}

// setDuration gives key a time.
func (d *Draft) setDuration(key string, t time.Duration, from Note) {
	read := func(s string) int64 {
		t, _ := time.ParseDuration(s) // configs wrote it
		return int64(t)
	}
	d.setWithin(key, durationText(t), int64(t), read, from)
}

// setSize gives key a number of bytes.
func (d *Draft) setSize(key string, bytes int64, from Note) {
	d.setWithin(key, sizeText(bytes), bytes, readSize, from)
}

// durationText writes t in the unit that people use.
func durationText(t time.Duration) string {
	if t%time.Second == 0 {
		return strconv.FormatInt(int64(t/time.Second), 10) + "s"
	}
	return strconv.FormatInt(t.Milliseconds(), 10) + "ms"
}

// sizeUnits are the units of a size, the largest first.
var sizeUnits = []struct {
	name  string
	bytes int64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}}

// sizeText writes a number of bytes in the largest unit that it is whole in.
func sizeText(bytes int64) string {
	for _, u := range sizeUnits {
		if bytes != 0 && bytes%u.bytes == 0 {
			return fmt.Sprintf("%d%s", bytes/u.bytes, u.name)
		}
	}
	return "0B"
}

// readSize reads what configs or sizeText wrote.
func readSize(s string) int64 {
	for _, u := range sizeUnits {
		if digits, ok := strings.CutSuffix(s, u.name); ok {
			n, _ := strconv.ParseInt(digits, 10, 64)
			return n * u.bytes
		}
	}
	return 0
}
