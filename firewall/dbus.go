package firewall

import (
	"context"
	"errors"
	"fmt"

	"github.com/godbus/dbus/v5"
)

// Names of firewalld on the bus.
const (
	busName      = "org.fedoraproject.FirewallD1"
	busPath      = dbus.ObjectPath("/org/fedoraproject/FirewallD1")
	configPath   = busPath + "/config"
	mainFace     = busName
	zoneFace     = busName + ".zone"
	directFace   = busName + ".direct"
	policyFace   = busName + ".policy"
	configFace   = busName + ".config"
	zoneConfFace = busName + ".config.zone"
)

// A busMethod is a method of firewalld that this package may call.
type busMethod struct {
	face, name string
	since      string // the version that brought it, if that is after 0.6: asked for only there
}

// The methods. Those of 0.6 do for everything that 0.6 has.
var (
	getDefaultZone     = busMethod{face: mainFace, name: "getDefaultZone"}
	getZoneSettings    = busMethod{face: mainFace, name: "getZoneSettings"}
	getServiceSettings = busMethod{face: mainFace, name: "getServiceSettings"}
	getZones           = busMethod{face: zoneFace, name: "getZones"}
	getActiveZones     = busMethod{face: zoneFace, name: "getActiveZones"}
	getServices        = busMethod{face: zoneFace, name: "getServices"}
	getPorts           = busMethod{face: zoneFace, name: "getPorts"}
	getProtocols       = busMethod{face: zoneFace, name: "getProtocols"}
	getSourcePorts     = busMethod{face: zoneFace, name: "getSourcePorts"}
	getForwardPorts    = busMethod{face: zoneFace, name: "getForwardPorts"}
	getRichRules       = busMethod{face: zoneFace, name: "getRichRules"}
	addRichRule        = busMethod{face: zoneFace, name: "addRichRule"}
	removeRichRule     = busMethod{face: zoneFace, name: "removeRichRule"}
	addPort            = busMethod{face: zoneFace, name: "addPort"}
	removePort         = busMethod{face: zoneFace, name: "removePort"}
	getAllRules        = busMethod{face: directFace, name: "getAllRules"}
	getAllPassthroughs = busMethod{face: directFace, name: "getAllPassthroughs"}
	getZoneByName      = busMethod{face: configFace, name: "getZoneByName"}
	getSettings        = busMethod{face: zoneConfFace, name: "getSettings"}
	update             = busMethod{face: zoneConfFace, name: "update"}
	getActivePolicies  = busMethod{face: policyFace, name: "getActivePolicies", since: "0.9"}
	getPolicySettings  = busMethod{face: policyFace, name: "getPolicySettings", since: "0.9"}
)

// ErrNoBus says that there is no system bus, over which firewalld is asked.
var ErrNoBus = errors.New("no D-Bus system bus")

// A bus is a connection to firewalld.
type bus struct{ conn *dbus.Conn }

// connectBus connects to the system bus. The caller must close it.
//
// It is not bound to a context, as what was begun may have to be undone after
// one has ended.
func connectBus() (bus, error) {
	conn, err := dbus.ConnectSystemBus()
	if err != nil {
		return bus{}, fmt.Errorf("%w: %w", ErrNoBus, err)
	}
	return bus{conn}, nil
}

func (b bus) close() error { return b.conn.Close() }

// running reports whether firewalld owns its name.
func (b bus) running(ctx context.Context) bool {
	var owned bool
	err := b.conn.BusObject().CallWithContext(ctx, "org.freedesktop.DBus.NameHasOwner", 0, busName).Store(&owned)
	return err == nil && owned
}

// call calls m of the object at path and stores the answer in result, unless
// that is nil.
func (b bus) call(ctx context.Context, path dbus.ObjectPath, m busMethod, result any, args ...any) error {
	call := b.conn.Object(busName, path).CallWithContext(ctx, m.face+"."+m.name, 0, args...)
	err := call.Err
	if err == nil && result != nil {
		err = call.Store(result)
	}
	if err != nil {
		return fmt.Errorf("asking firewalld (%s): %w", m.name, err)
	}
	return nil
}

// property returns a string property of an object's interface; "" if it has
// none of that name.
func (b bus) property(ctx context.Context, path dbus.ObjectPath, face, name string) string {
	var v dbus.Variant
	err := b.conn.Object(busName, path).
		CallWithContext(ctx, "org.freedesktop.DBus.Properties.Get", 0, face, name).Store(&v)
	if err != nil {
		return ""
	}
	s, _ := v.Value().(string)
	return s
}

// zoneSettings is a zone as firewalld 0.6 and every version since takes and
// gives it. What later versions added is not in it, and "update" leaves it as it is.
type zoneSettings struct {
	Version, Short, Description string
	Unused                      bool
	Target                      string // "default", "ACCEPT", "DROP", "%%REJECT%%"
	Services                    []string
	Ports                       []portProtocol
	ICMPBlocks                  []string
	Masquerade                  bool
	ForwardPorts                []forwardPort
	Interfaces                  []string
	Sources                     []string
	RichRules                   []string
	Protocols                   []string
	SourcePorts                 []portProtocol
	ICMPBlockInversion          bool
}

// A portProtocol is a port, or a range of them, and "tcp".
type portProtocol struct{ Port, Protocol string }

// String returns "8864/tcp".
func (p portProtocol) String() string { return p.Port + "/" + p.Protocol }

// A forwardPort leads Port to ToPort, of this host if ToAddr is empty.
type forwardPort struct{ Port, Protocol, ToPort, ToAddr string }

// serviceSettings is a service as firewalld 0.6 and every version since gives it.
type serviceSettings struct {
	Version, Short, Description string
	Ports                       []portProtocol
	Modules                     []string
	Destinations                map[string]string
	Protocols                   []string
	SourcePorts                 []portProtocol
}

// A directRule is a rule that firewalld passes on as it is.
type directRule struct {
	Family, Table, Chain string
	Priority             int32
	Args                 []string
}

// A passthrough is a command line of iptables that firewalld passes on.
type passthrough struct {
	Family string
	Args   []string
}

// A zoneBinding says which packets a zone is for.
type zoneBinding struct{ interfaces, sources []string }

// activeZones returns the zones that packets pass, beside the default one.
func (b bus) activeZones(ctx context.Context) (map[string]zoneBinding, error) {
	var answer map[string]map[string][]string
	if err := b.call(ctx, busPath, getActiveZones, &answer); err != nil {
		return nil, err
	}
	zones := map[string]zoneBinding{}
	for name, by := range answer {
		zones[name] = zoneBinding{by["interfaces"], by["sources"]}
	}
	return zones, nil
}

// runtime returns the runtime side of a zone.
//
// The lists are asked for one by one: where a list has become empty, the
// getZoneSettings of 1.0 and later has the one that was loaded.
func (b bus) runtime(ctx context.Context, zone string) (zoneSettings, error) {
	var s zoneSettings
	if err := b.call(ctx, busPath, getZoneSettings, &s, zone); err != nil {
		return s, err
	}
	for m, list := range map[busMethod]*[]string{getServices: &s.Services, getProtocols: &s.Protocols, getRichRules: &s.RichRules} {
		if err := b.call(ctx, busPath, m, list, zone); err != nil {
			return s, err
		}
	}
	for m, list := range map[busMethod]*[]portProtocol{getPorts: &s.Ports, getSourcePorts: &s.SourcePorts} {
		var rows [][]string
		if err := b.call(ctx, busPath, m, &rows, zone); err != nil {
			return s, err
		}
		*list = portsOf(rows)
	}
	var rows [][]string
	err := b.call(ctx, busPath, getForwardPorts, &rows, zone)
	s.ForwardPorts = forwardsOf(rows)
	return s, err
}

// portsOf reads the rows of getPorts: port and protocol.
func portsOf(rows [][]string) []portProtocol {
	var ports []portProtocol
	for _, r := range rows {
		if len(r) == 2 {
			ports = append(ports, portProtocol{r[0], r[1]})
		}
	}
	return ports
}

// forwardsOf reads the rows of getForwardPorts, which are as forwardPort.
func forwardsOf(rows [][]string) []forwardPort {
	var forwards []forwardPort
	for _, r := range rows {
		if len(r) == 4 {
			forwards = append(forwards, forwardPort{r[0], r[1], r[2], r[3]})
		}
	}
	return forwards
}

// permanent returns the permanent side of a zone, and its object.
func (b bus) permanent(ctx context.Context, zone string) (dbus.ObjectPath, zoneSettings, error) {
	var path dbus.ObjectPath
	var s zoneSettings
	if err := b.call(ctx, configPath, getZoneByName, &path, zone); err != nil {
		return path, s, err
	}
	return path, s, b.call(ctx, path, getSettings, &s)
}
