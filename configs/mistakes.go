package configs

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
)

// A Mistake is one thing that is wrong with the file. Which of the fields are
// set depends on Kind: they are those that its text names.
type Mistake struct {
	Key  string // dotted, with the element of a list: "allow.sources[2]"; "" for a syntax error
	Line int    // of the file; 0: unknown
	Kind Kind

	Value    string   // what stands there, strings in quotes
	Proposal string   // what may have been meant, in quotes where it is a string
	Least    string   // the lower bound
	Most     string   // the upper bound
	Allowed  []string // the values there are
	Other    string   // another key that takes part, with its value where that matters
	Err      error    // why something outside the file failed
}

// A Kind is what sort of mistake was made. The set is closed: see [Kinds].
type Kind string

// The kinds of mistakes.
const (
	NotUTF8        Kind = "not_utf8"
	Syntax         Kind = "syntax"
	UnknownKey     Kind = "unknown_key"
	MisspeltKey    Kind = "misspelt_key"
	NotString      Kind = "not_string"
	NotBoolean     Kind = "not_boolean"
	NotInteger     Kind = "not_integer"
	NotList        Kind = "not_list"
	NotTable       Kind = "not_table"
	NotTables      Kind = "not_tables"
	Empty          Kind = "empty"
	OutOfRange     Kind = "out_of_range"
	UnknownValue   Kind = "unknown_value"
	MisspeltValue  Kind = "misspelt_value"
	Duplicate      Kind = "duplicate"
	NoTimeUnit     Kind = "no_time_unit"
	NoSizeUnit     Kind = "no_size_unit"
	NotDuration    Kind = "not_duration"
	NotSize        Kind = "not_size"
	OtherSizeUnit  Kind = "other_size_unit"
	NotSource      Kind = "not_source"
	HostBits       Kind = "host_bits"
	MappedSource   Kind = "mapped_source"
	ZonedSource    Kind = "zoned_source"
	Everyone       Kind = "everyone"
	NobodysSource  Kind = "nobodys_source"
	TooWide        Kind = "too_wide"
	BeyondPrivate  Kind = "beyond_private"
	TooManyPublic  Kind = "too_many_public"
	NobodyAdmitted Kind = "nobody_admitted"
	VouchesOnly    Kind = "vouches_only"
	NotAddress     Kind = "not_address"
	NotListen      Kind = "not_listen"
	NotUpstream    Kind = "not_upstream"
	Overlap        Kind = "overlap"
	AdminOpen      Kind = "admin_open"
	OtherFamily    Kind = "other_family"
	Needed         Kind = "needed"
	NoEffect       Kind = "no_effect"
	Above          Kind = "above"
	NotAbsolute    Kind = "not_absolute"
	Unreadable     Kind = "unreadable"
	NotKeyPair     Kind = "not_key_pair"
	NotCertificate Kind = "not_certificate"
	NotPin         Kind = "not_pin"
	NotHost        Kind = "not_host"
	NotSyslog      Kind = "not_syslog"
	NotURL         Kind = "not_url"
	NotDirectory   Kind = "not_directory"
	NotMailbox     Kind = "not_mailbox"
	Wildcard       Kind = "wildcard"
	NotUnit        Kind = "not_unit"
	NotName        Kind = "not_name"
	NotSetName     Kind = "not_set_name"
	NotPath        Kind = "not_path"
	NotField       Kind = "not_field"
	NotDroppable   Kind = "not_droppable"
	InstanceNeeds  Kind = "instance_needs"
)

// english are the texts of all kinds, as [Mistake.Format] reads them.
var english = map[Kind]string{
	NotUTF8:        `this is not UTF-8 text; save the file as UTF-8, not as GBK or UTF-16`,
	Syntax:         `this is not TOML: {cause}`,
	UnknownKey:     `there is no such key`,
	MisspeltKey:    `there is no such key; did you mean {proposal}?`,
	NotString:      `must be a string, in double quotes`,
	NotBoolean:     `must be true or false, without quotes`,
	NotInteger:     `must be a whole number, without quotes`,
	NotList:        `must be a list of strings: ["...", "..."]`,
	NotTable:       `must be a table: [{proposal}]`,
	NotTables:      `must be tables: [[{proposal}]]`,
	Empty:          `must not be empty`,
	OutOfRange:     `must be between {least} and {most}, not {value}`,
	UnknownValue:   `must be one of {allowed}, not {value}`,
	MisspeltValue:  `there is no {value}; did you mean {proposal}?`,
	Duplicate:      `{value} is already in {other}`,
	NoTimeUnit:     `{value} has no unit of time; did you mean {proposal}?`,
	NoSizeUnit:     `{value} has no unit of size; did you mean {proposal}?`,
	NotDuration:    `{value} is not a duration; write one like {proposal}`,
	NotSize:        `{value} is not a size; write one like {proposal}`,
	OtherSizeUnit:  `{value} has a unit of size that is not known; did you mean {proposal}?`,
	NotSource:      `{value} is neither an address nor a prefix`,
	HostBits:       `{value} has host bits set; did you mean {proposal}?`,
	MappedSource:   `{value} is an IPv4 prefix written as IPv6; did you mean {proposal}?`,
	ZonedSource:    `{value} has a zone; write it without`,
	Everyone:       `{value} is everyone; name the callers`,
	NobodysSource:  `{value} is no caller's address; name the callers`,
	TooWide:        `{value} is too wide: a public prefix is at most a {most}`,
	BeyondPrivate:  `{value} reaches beyond the private {proposal}; a public prefix is at most a {most}`,
	TooManyPublic:  `all sources together hold {value} public IPv4 addresses; the most is {most}`,
	NobodyAdmitted: `must name at least one source, or nobody can connect (allow.presets names whole sets)`,
	VouchesOnly:    `{value} can never be the source of a call, as {other} makes it a device that names the source`,
	NotAddress:     `{value} is not an IP address`,
	NotListen:      `{value} is not an address to listen on; write one like {proposal}`,
	NotUpstream:    `{value} is not a host with a port; write one like {proposal}`,
	Overlap:        `{value} overlaps {other}`,
	AdminOpen:      `must name who may ask, because {other} is reached from other machines`,
	OtherFamily:    `{value} cannot be reached from {other}: one is IPv4, the other IPv6`,
	Needed:         `must be set, because of {other}`,
	NoEffect:       `has no effect, because of {other}`,
	Above:          `{value} is above {other}`,
	NotAbsolute:    `{value} is not a whole path: it must start with "/"`,
	Unreadable:     `{value} cannot be read: {cause}`,
	NotKeyPair:     `{cause}`,
	NotCertificate: `{value} holds no certificate in PEM form`,
	NotPin:         `{value} is not a pin; write one like {proposal}`,
	NotHost:        `{value} is not the name of a host`,
	NotSyslog:      `{value} is not the address of a syslog server; write one like {proposal}`,
	NotURL:         `{value} is not a URL of HTTP; write one like {proposal}`,
	NotDirectory:   `{value} is not the URL of an authority's directory; write one like {proposal}`,
	NotMailbox:     `{value} is not an email address; write one like {proposal}`,
	Wildcard:       `{value} stands for many names, and none of them is proved by it; name each host`,
	NotUnit:        `{value} is not the id of a unit: letters and digits, 20 as a rule`,
	NotName:        `{value} is not a name: at most {most} printable characters`,
	NotSetName:     `{value} is not the name of a set: small letters, digits and "-"`,
	NotPath:        `{value} is not a path prefix: it starts with "/" and has no spaces, "?", "#", "%", "\" or dot segments`,
	NotField:       `{value} is not the name of a header field`,
	NotDroppable:   `{value} must reach Leqi and cannot be dropped`,
	InstanceNeeds:  `must be set: the default belongs to the instance without a name`,
}

// Kinds returns all kinds, sorted.
func Kinds() []Kind {
	all := make([]Kind, 0, len(english))
	for k := range english {
		all = append(all, k)
	}
	slices.Sort(all)
	return all
}

// English returns the text of k in English, as [Mistake.Format] reads it.
func (k Kind) English() string { return english[k] }

// Error returns the key and the English text.
func (m Mistake) Error() string {
	text := m.Format(m.Kind.English())
	if m.Key == "" {
		return text
	}
	return m.Key + ": " + text
}

// Unwrap returns the cause, if something outside the file failed.
func (m Mistake) Unwrap() error { return m.Err }

// Format replaces {value}, {proposal}, {least}, {most}, {allowed}, {other} and
// {cause} in the text for a mistake of m's kind, in whatever language.
func (m Mistake) Format(text string) string {
	cause := ""
	if m.Err != nil {
		cause = m.Err.Error()
	}
	return strings.NewReplacer(
		"{value}", m.Value,
		"{proposal}", m.Proposal,
		"{least}", m.Least,
		"{most}", m.Most,
		"{allowed}", strings.Join(m.Allowed, ", "),
		"{other}", m.Other,
		"{cause}", cause,
	).Replace(text)
}

// Mistakes are all that is wrong with a file, in its order; those without a
// line come last.
type Mistakes []Mistake

// Error returns one line for each, with its line number where that is known.
func (ms Mistakes) Error() string {
	lines := make([]string, len(ms))
	for i, m := range ms {
		lines[i] = m.Error()
		if m.Line > 0 {
			lines[i] = fmt.Sprintf("line %d: %s", m.Line, lines[i])
		}
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns each [Mistake], for errors.Is and errors.AsType.
func (ms Mistakes) Unwrap() []error {
	errs := make([]error, len(ms))
	for i, m := range ms {
		errs[i] = m
	}
	return errs
}

// sorted returns ms in the order of the file; mistakes of one line stay as
// they were found.
func (ms Mistakes) sorted() Mistakes {
	slices.SortStableFunc(ms, func(a, b Mistake) int {
		return cmp.Compare(unknownLast(a.Line), unknownLast(b.Line))
	})
	return ms
}

func unknownLast(line int) int {
	if line == 0 {
		return math.MaxInt
	}
	return line
}
