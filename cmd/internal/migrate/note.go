package migrate

import (
	"slices"

	"github.com/lqproxy/lqproxy/configs"
)

// A Note says what has no counterpart in lqproxy or changes its meaning, or why
// something was left out.
type Note struct {
	Kind    Kind
	At      Place            // where it is from; its zero value: nowhere in particular
	What    string           // what stands there
	Value   string           // what it is about, by Kind
	Mistake *configs.Mistake // of Refused: why
}

// A Kind is what sort of note it is. The set is closed.
type Kind string

// The kinds of notes, of an nginx first. Comments say what Value is.
const (
	Defaults      Kind = "defaults"
	Fragment      Kind = "fragment" // the nginx.conf around, if there is one
	NotUTF8       Kind = "not_utf8"
	NothingFound  Kind = "nothing_found"
	NoCounterpart Kind = "no_counterpart"
	NotNeeded     Kind = "not_needed" // directives with their lines
	Unread        Kind = "unread"
	Clamped       Kind = "clamped" // the bound
	Differs       Kind = "differs" // the location
	Conditional   Kind = "conditional"
	Varies        Kind = "varies" // the other values

	LowPort       Kind = "low_port"
	UnixSocket    Kind = "unix_socket"
	Covered       Kind = "covered" // the address that covers it
	OtherMode     Kind = "other_mode"
	NoHTTP2       Kind = "no_http2"
	AnyHost       Kind = "any_host"
	SecondPair    Kind = "second_pair"
	KeyPassword   Kind = "key_password"
	OldTLS        Kind = "old_tls"
	CallerCert    Kind = "caller_cert"
	NoBalancers   Kind = "no_balancers"
	BalancerRules Kind = "balancer_rules"
	DeviceHeader  Kind = "device_header" // the header
	LastAddress   Kind = "last_address"

	OpenToAll    Kind = "open_to_all"
	NoRules      Kind = "no_rules"
	Refused      Kind = "refused"
	Masked       Kind = "masked" // as written
	Carved       Kind = "carved" // what is denied before
	Shadowed     Kind = "shadowed"
	DeviceItself Kind = "device_itself"
	OneList      Kind = "one_list"
	FromVariable Kind = "from_variable"
	VariableOpen Kind = "variable_open"
	NoAuth       Kind = "no_auth"

	RootPath      Kind = "root_path"
	PatternPath   Kind = "pattern_path" // the prefix that was taken, if any
	ExactPath     Kind = "exact_path"
	OtherLocation Kind = "other_location"
	Rewritten     Kind = "rewritten" // the path that Leqi gets
	Normalised    Kind = "normalised"

	PlainUpstream    Kind = "plain_upstream"
	OtherHost        Kind = "other_host" // the one that was taken
	OtherPort        Kind = "other_port" // the one that was taken
	NameNeeded       Kind = "name_needed"
	NameFromHost     Kind = "name_from_host"
	AllAlike         Kind = "all_alike"
	BackupServer     Kind = "backup_server"
	DownServer       Kind = "down_server"
	KeepsConnections Kind = "keeps_connections"
	NotVerified      Kind = "not_verified"
	NamesHost        Kind = "names_host"
	ClientCert       Kind = "client_cert"
	OldUpstreamTLS   Kind = "old_upstream_tls"
	Ciphers          Kind = "ciphers"
	SystemResolver   Kind = "system_resolver"
	OneTimeout       Kind = "one_timeout"
	NeverTwice       Kind = "never_twice"
	Transparent      Kind = "transparent"

	HostReplaced  Kind = "host_replaced" // what Leqi gets
	NotAdded      Kind = "not_added"
	AddressHeader Kind = "address_header"
	BytesUntouch  Kind = "bytes_untouched"
	LineLimit     Kind = "line_limit"
	NoRateLimit   Kind = "no_rate_limit"
	OwnLog        Kind = "own_log"
	PassThrough   Kind = "pass_through"

	OpenPort      Kind = "open_port" // the zone
	OpenService   Kind = "open_service"
	TargetAccept  Kind = "target_accept"
	RuleForAll    Kind = "rule_for_all"
	RuleUnread    Kind = "rule_unread"
	SetUnread     Kind = "set_unread" // the name of the set
	ZoneSources   Kind = "zone_sources"
	ZoneInactive  Kind = "zone_inactive"
	Forwarded     Kind = "forwarded"
	NothingAdmits Kind = "nothing_admits"
)

// loud are the kinds that must be read before the draft is used: somebody is
// let in, kept out, or no longer understood.
var loud = []Kind{
	Fragment, Conditional, LowPort, OtherMode, KeyPassword, CallerCert, NoBalancers, BalancerRules, DeviceHeader,
	OpenToAll, NoRules, OneList, VariableOpen, NoAuth, Rewritten, PlainUpstream, OtherHost, OtherPort, NameNeeded,
	ClientCert, NotAdded, PassThrough, Varies, Refused,
	OpenPort, OpenService, TargetAccept, RuleForAll, RuleUnread, SetUnread, Forwarded, NothingAdmits,
}

// Loud reports whether a note of the kind must be read before the draft is used.
func (k Kind) Loud() bool { return slices.Contains(loud, k) }
