// Package setup makes a configuration of what a person says about a network:
// each answer is a few edits of the file that there is, which keeps its comments
// and whatever it says besides; else of the commented reference.
//
// Answers are judged by package configs alone, one by one as they are given.
package setup

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/lqproxy/lqproxy/configs"
	"github.com/rogpeppe/go-internal/diff"
)

// A Draft is a configuration in the making.
type Draft struct {
	File     string         // that it is, or will be
	Exists   bool           // there is such a file
	Now      configs.Config // before any answer
	instance string
	old      []byte // of the file, or what it would have been
	values   configs.Edits
	edits    configs.Edits
}

// admitting stands for a source while there is none, which alone would be the
// mistake of a file that was not filled in yet.
var admitting = Sources([]string{"127.0.0.1"})

// Begin reads the file of an instance; without one the draft begins with the
// reference. The error is [configs.Mistakes] of a file that cannot be built on,
// configs.ErrForm, or that of reading.
func Begin(file, instance string) (*Draft, error) {
	d := &Draft{File: file, Exists: true, instance: instance, edits: configs.Edits{}}
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		d.Exists = false
		text, err = configs.Edit(configs.Reference(), placesOf(instance))
	}
	if err != nil {
		return nil, fmt.Errorf("reading configuration: %w", err)
	}
	d.old = text
	now, err := configs.ParseInstance(text, instance)
	if nobodyAdmitted(err) {
		if text, err = configs.Edit(text, admitting); err == nil {
			now, err = configs.ParseInstance(text, instance)
		}
		now.Allow.Sources = nil
	}
	if err != nil {
		return nil, err
	}
	d.Now, d.values = now, now.Values()
	return d, nil
}

// nobodyAdmitted reports whether that is all that is wrong.
func nobodyAdmitted(err error) bool {
	mistakes, ok := errors.AsType[configs.Mistakes](err)
	return ok && len(mistakes) == 1 && mistakes[0].Kind == configs.NobodyAdmitted
}

// placesOf returns where an instance has its own folders; none of the unnamed.
// Its admin address follows from that of the listener, see Finish.
func placesOf(instance string) configs.Edits {
	if instance == "" {
		return nil
	}
	c := configs.DefaultInstance(instance)
	return configs.Edits{"state_dir": c.StateDir, "log.access_file": c.Log.AccessFile, "log.error_file": c.Log.ErrorFile}
}

// Try returns what would be wrong with the keys of an answer.
func (d *Draft) Try(answer configs.Edits) configs.Mistakes {
	edits := maps.Clone(d.edits)
	maps.Copy(edits, answer)
	text, err := configs.Edit(d.old, d.changed(edits))
	if err == nil {
		_, err = configs.ParseInstance(text, d.instance)
	}
	var found configs.Mistakes
	mistakes, _ := errors.AsType[configs.Mistakes](err)
	for _, m := range mistakes {
		key, _, _ := strings.Cut(m.Key, "[")
		if _, its := answer[m.Key]; !its {
			_, its = answer[key]
			if !its {
				continue
			}
		}
		found = append(found, m)
	}
	return found
}

// Answer takes an answer.
func (d *Draft) Answer(answer configs.Edits) { maps.Copy(d.edits, answer) }

// changed returns the edits that change something.
func (d *Draft) changed(edits configs.Edits) configs.Edits {
	different := configs.Edits{}
	for key, value := range edits {
		now, set := d.values[key]
		if set && !reflect.DeepEqual(now, value) || !set && value != "" {
			different[key] = value
		}
	}
	return different
}

// A Result is a configuration that is ready to be written.
type Result struct {
	Config  configs.Config
	Text    []byte
	Changes []string // the keys, "allow.presets: [] -> [fpy-sandbox]"
	Diff    []byte   // unified; empty if nothing changes, or there was no file
}

// adminOffset is how far the admin port of a new instance is from that of its
// listener, as with 8864 and 9864.
const adminOffset = 1000

// Finish returns what the answers made. The error is [configs.Mistakes], or
// configs.ErrForm.
func (d *Draft) Finish() (Result, error) {
	if d.instance != "" && !d.Exists {
		d.Answer(configs.Edits{"admin.addresses": []string{adminAddress(d.edits["listen.addresses"])}})
	}
	edits := d.changed(d.edits)
	text, err := configs.Edit(d.old, edits)
	if err != nil {
		return Result{}, err
	}
	c, err := configs.ParseInstance(text, d.instance)
	if err != nil {
		return Result{}, err
	}
	r := Result{Config: c, Text: text, Changes: d.changes(c)}
	if d.Exists && !bytes.Equal(d.old, text) {
		unified := diff.Diff(d.File, d.old, d.File, text)
		_, r.Diff, _ = bytes.Cut(unified, []byte("\n")) // the line "diff A B" says nothing more
	}
	return r, nil
}

// adminAddress is on loopback, beside the port of a listener.
func adminAddress(listen any) string {
	addresses, _ := listen.([]string)
	port := 0
	if len(addresses) > 0 {
		_, digits, _ := net.SplitHostPort(addresses[0])
		port, _ = strconv.Atoi(digits)
	}
	if port += adminOffset; port > 1<<16-1 {
		port -= 2 * adminOffset
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
}

// changes lists the keys that c has otherwise than the draft had.
func (d *Draft) changes(c configs.Config) []string {
	after := c.Values()
	keys := slices.Collect(maps.Keys(after))
	for key := range d.values {
		if _, still := after[key]; !still {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	var all []string
	for _, key := range keys {
		if before, now := shown(d.values[key]), shown(after[key]); before != now {
			all = append(all, key+": "+before+" -> "+now)
		}
	}
	return all
}

// shown is a value in a log line.
func shown(value any) string {
	if value == nil {
		return `""`
	}
	if s, ok := value.(string); ok {
		return strconv.Quote(s)
	}
	return fmt.Sprint(value)
}
