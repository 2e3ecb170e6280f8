package doctor

import "github.com/lqproxy/lqproxy/probe"

// A State is how good or bad a finding is.
type State string

// The states, the good one first.
const (
	OK   State = "ok"
	Warn State = "warn" // works, or cannot be told; to be looked at
	Fail State = "fail" // somebody must act
)

// A Check is what was looked at.
type Check string

// The checks, in the order in which they are made.
const (
	System        Check = "system"
	Kernel        Check = "kernel"
	Architecture  Check = "architecture"
	Resources     Check = "resources"
	Disk          Check = "disk"
	Descriptors   Check = "descriptors"
	Mounts        Check = "mounts"
	SELinux       Check = "selinux"
	FIPS          Check = "fips"
	Configuration Check = "configuration"
	Service       Check = "service"
	Port          Check = "port"
	Sources       Check = "sources"
	Firewall      Check = "firewall"
	DNS           Check = "dns"
	Connect       Check = "connect"
	TLS           Check = "tls"
	Platform      Check = "platform"
	Clock         Check = "clock"
	Route         Check = "route"
	Egress        Check = "egress"
)

// A Group is a part of the checks.
type Group string

// The groups.
const (
	GroupMachine Group = "machine"
	GroupService Group = "service"
	GroupPath    Group = "path"
)

// Group returns the group that c belongs to.
func (c Check) Group() Group {
	switch c {
	case System, Kernel, Architecture, Resources, Disk, Descriptors, Mounts, SELinux, FIPS:
		return GroupMachine
	case Configuration, Service, Port, Sources, Firewall:
		return GroupService
	}
	return GroupPath
}

// A Code is what was found. Its words, which name the arguments of the finding
// in their order, are the command's.
type Code string

// The codes, with their arguments.
const (
	SystemListed  Code = "system_listed"    // name: on the guide's list
	SystemBuilt   Code = "system_built"     // name: lqproxy is built for it
	SystemUnknown Code = "system_unknown"   // name
	SystemUnread  Code = "system_unread"    //
	KernelFits    Code = "kernel_fits"      // release
	KernelOld     Code = "kernel_old"       // release, oldest that would do
	KernelUnread  Code = "kernel_unread"    //
	ArchBuilt     Code = "arch_built"       // name
	ArchOther     Code = "arch_other"       // name
	ResourcesFit  Code = "resources_fit"    // cores, Bytes
	ResourcesFew  Code = "resources_few"    // cores, Bytes
	ResourcesNone Code = "resources_unread" //
	DiskFits      Code = "disk_fits"        // folder, free Bytes, days left
	DiskFree      Code = "disk_free"        // folder, free Bytes; yesterday's rate is not known
	DiskSoon      Code = "disk_soon"        // folder, free Bytes, days left
	DiskLow       Code = "disk_low"         // folder, free Bytes, needed Bytes
	DiskUnread    Code = "disk_unread"      // folder, error
	FilesFit      Code = "files_fit"        // limit
	FilesFew      Code = "files_few"        // limit, needed
	FilesUnread   Code = "files_unread"     //
	MountsFit     Code = "mounts_fit"       //
	MountNoexec   Code = "mount_noexec"     // file, mount point
	SELinuxOff    Code = "selinux_off"      //
	SELinuxQuiet  Code = "selinux_quiet"    // no denial of ours
	SELinuxDenies Code = "selinux_denies"   // denials, the last of them
	SELinuxWould  Code = "selinux_would"    // the same, but permissive
	SELinuxUnread Code = "selinux_unread"   // enforcing, and its log cannot be read
	FIPSOff       Code = "fips_off"         //
	FIPSOn        Code = "fips_on"          //
	ConfigGood    Code = "config_good"      // file
	ConfigMissing Code = "config_missing"   // file
	ConfigBad     Code = "config_bad"       // file, mistakes
	ConfigUnread  Code = "config_unread"    // file, error
	ConfigDenied  Code = "config_denied"    // file that the service's user cannot read, user
	ServiceRuns   Code = "service_runs"     // unit, pid
	ServiceHand   Code = "service_by_hand"  // pid: it runs, but not as a service
	ServiceStops  Code = "service_stopped"  // unit
	ServiceFailed Code = "service_failed"   // unit, result
	ServiceOff    Code = "service_off"      // unit: runs, and would not after a reboot
	ServiceOlder  Code = "service_older"    // file: changed after it was read
	ServiceKeeps  Code = "service_keeps"    // error of the last reload
	ServiceBinary Code = "service_binary"   // pid: its program was replaced
	ServiceFormer Code = "service_former"   // files of nginx, what starts it: at the machine's next start it may have the port
	ServiceNone   Code = "service_none"     // unit
	ServiceUnread Code = "service_unread"   // no systemd
	PortOurs      Code = "port_ours"        // port
	PortFree      Code = "port_free"        // port
	PortNginx     Code = "port_nginx"       // port, pid
	PortTaken     Code = "port_taken"       // port, name, pid
	PortHidden    Code = "port_hidden"      // port
	SourcesTold   Code = "sources_told"     // calls
	SourcesSame   Code = "sources_same"     // calls: all from private addresses
	SourcesFew    Code = "sources_few"      // calls: too few to tell
	FirewallSays  Code = "firewall_says"    // text
	DNSFound      Code = "dns_found"        // host, addresses, probe.Source
	DNSFailed     Code = "dns_failed"       // host, error, probe.Verdict
	ConnectAll    Code = "connect_all"      // addresses
	ConnectSome   Code = "connect_some"     // good, all, the first bad one, its Outcome
	ConnectNone   Code = "connect_none"     // probe.Verdict
	TLSGood       Code = "tls_good"         // version, suite
	TLSBad        Code = "tls_bad"          // error, probe.Verdict
	TLSRemedy     Code = "tls_remedy"       // error, settings
	CallGood      Code = "call_good"        // environment
	CallNone      Code = "call_none"        // no unit: no call
	CallBad       Code = "call_bad"         // environment, probe.Verdict
	ClockRight    Code = "clock_right"      // offset, at most a second or two
	ClockOff      Code = "clock_off"        // offset
	ClockWrong    Code = "clock_wrong"      // offset
	ClockUnread   Code = "clock_unread"     //
	RouteReached  Code = "route_reached"    // address, hops
	RouteEnds     Code = "route_ends"       // address, last router, its hop
	RouteSilent   Code = "route_silent"     // address
	RouteRefused  Code = "route_refused"    // address, who, hop: reached, and nobody listens
	RouteBarred   Code = "route_barred"     // address, router, hop
	RouteNone     Code = "route_none"       // address, error
	EgressFiled   Code = "egress_filed"     // address
	EgressOther   Code = "egress_other"     // address, filed ones
	EgressUnfiled Code = "egress_unfiled"   // address; none is filed
	EgressHidden  Code = "egress_hidden"    // local address; what it becomes outside is not known
	EgressUnread  Code = "egress_unread"    // local address, error of the echo URL
	EgressNone    Code = "egress_none"      // error: no address at all
)

// judgements says of each code which check found it, and how good it is.
var judgements = map[Code]struct {
	check Check
	state State
}{
	SystemListed:  {System, OK},
	SystemBuilt:   {System, OK},
	SystemUnknown: {System, Warn},
	SystemUnread:  {System, Warn},
	KernelFits:    {Kernel, OK},
	KernelOld:     {Kernel, Fail},
	KernelUnread:  {Kernel, Warn},
	ArchBuilt:     {Architecture, OK},
	ArchOther:     {Architecture, Warn},
	ResourcesFit:  {Resources, OK},
	ResourcesFew:  {Resources, Warn},
	ResourcesNone: {Resources, Warn},
	DiskFits:      {Disk, OK},
	DiskFree:      {Disk, OK},
	DiskSoon:      {Disk, Warn},
	DiskLow:       {Disk, Fail},
	DiskUnread:    {Disk, Warn},
	FilesFit:      {Descriptors, OK},
	FilesFew:      {Descriptors, Warn},
	FilesUnread:   {Descriptors, Warn},
	MountsFit:     {Mounts, OK},
	MountNoexec:   {Mounts, Fail},
	SELinuxOff:    {SELinux, OK},
	SELinuxQuiet:  {SELinux, OK},
	SELinuxDenies: {SELinux, Fail},
	SELinuxWould:  {SELinux, Warn},
	SELinuxUnread: {SELinux, Warn},
	FIPSOff:       {FIPS, OK},
	FIPSOn:        {FIPS, Warn},
	ConfigGood:    {Configuration, OK},
	ConfigMissing: {Configuration, Warn},
	ConfigBad:     {Configuration, Fail},
	ConfigUnread:  {Configuration, Fail},
	ConfigDenied:  {Configuration, Fail},
	ServiceRuns:   {Service, OK},
	ServiceHand:   {Service, Warn},
	ServiceStops:  {Service, Fail},
	ServiceFailed: {Service, Fail},
	ServiceOff:    {Service, Warn},
	ServiceOlder:  {Service, Warn},
	ServiceKeeps:  {Service, Fail},
	ServiceBinary: {Service, Warn},
	ServiceFormer: {Service, Warn},
	ServiceNone:   {Service, Warn},
	ServiceUnread: {Service, Warn},
	PortOurs:      {Port, OK},
	PortFree:      {Port, Warn},
	PortNginx:     {Port, Fail},
	PortTaken:     {Port, Fail},
	PortHidden:    {Port, Warn},
	SourcesTold:   {Sources, OK},
	SourcesSame:   {Sources, Fail},
	SourcesFew:    {Sources, OK},
	FirewallSays:  {Firewall, OK}, // or what was handed in
	DNSFound:      {DNS, OK},
	DNSFailed:     {DNS, Fail},
	ConnectAll:    {Connect, OK},
	ConnectSome:   {Connect, Warn},
	ConnectNone:   {Connect, Fail},
	TLSGood:       {TLS, OK},
	TLSBad:        {TLS, Fail},
	TLSRemedy:     {TLS, Fail},
	CallGood:      {Platform, OK},
	CallNone:      {Platform, OK},
	CallBad:       {Platform, Fail},
	ClockRight:    {Clock, OK},
	ClockOff:      {Clock, Warn},
	ClockWrong:    {Clock, Fail},
	ClockUnread:   {Clock, Warn},
	RouteReached:  {Route, OK},
	RouteEnds:     {Route, Fail},
	RouteSilent:   {Route, Fail},
	RouteRefused:  {Route, Fail},
	RouteBarred:   {Route, Fail},
	RouteNone:     {Route, Warn},
	EgressFiled:   {Egress, OK},
	EgressOther:   {Egress, Fail},
	EgressUnfiled: {Egress, Warn},
	EgressHidden:  {Egress, OK},
	EgressUnread:  {Egress, Warn},
	EgressNone:    {Egress, Fail},
}

// Codes returns every code, in no order. The caller owns the slice.
func Codes() []Code {
	all := make([]Code, 0, len(judgements))
	for c := range judgements {
		all = append(all, c)
	}
	return all
}

// CheckOf returns the check that comes to c.
func CheckOf(c Code) Check { return judgements[c].check }

// StateOf returns how good c is; what is handed in may differ.
func StateOf(c Code) State { return judgements[c].state }

// A Finding is what one check came to. Arguments are strings, numbers, addresses,
// durations, [Bytes], [Outcome] and values of package probe.
type Finding struct {
	Check Check
	State State
	Code  Code
	Args  []any
}

// An Outcome is the verdict on one address of several.
type Outcome probe.Verdict

// found returns the finding of code.
func found(code Code, args ...any) Finding {
	j := judgements[code]
	return Finding{j.check, j.state, code, args}
}

// Worst returns the worst state among findings.
func Worst(findings []Finding) State {
	worst := OK
	for _, f := range findings {
		if f.State == Fail || f.State == Warn && worst == OK {
			worst = f.State
		}
	}
	return worst
}
