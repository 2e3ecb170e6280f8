package migrate

import (
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// typeset are marks that word processors and chats put in the place of ours.
var typeset = strings.NewReplacer("“", `"`, "”", `"`, "‘", `'`, "’", `'`, "：", ":", "＝", "=", "（", "(", "）", ")")

// zoneHead is the first line of a zone: "public", "public (active)", "public (default, active)".
var zoneHead = regexp.MustCompile(`^([\w.-]+)(?:\s+\(([\w, ]*)\))?\s*$`)

// settingLine is "  ports: 8864/tcp".
var settingLine = regexp.MustCompile(`^\s*([a-z-]+(?: rules)?):(.*)$`)

// readListing reads what firewall-cmd lists. Rules alone are a zone without a name.
func readListing(file, text string) []zone {
	var zones []zone
	setting := ""
	number := 0
	for line := range strings.Lines(typeset.Replace(text)) {
		number++
		line = strings.TrimRight(line, "\r\n \t")
		at := Place{File: file}
		if file != "" {
			at.Line = number
		}
		trimmed := strings.TrimSpace(line)
		switch head := zoneHead.FindStringSubmatch(line); {
		case trimmed == "":
		case strings.HasPrefix(trimmed, "rule "):
			if len(zones) == 0 {
				zones = append(zones, zone{at: at})
			}
			last := &zones[len(zones)-1]
			last.rules = append(last.rules, listed{trimmed, at})
		case head != nil:
			zones = append(zones, zone{name: head[1], active: strings.Contains(head[2], "active"), at: at})
			setting = ""
		case len(zones) > 0:
			setting = zones[len(zones)-1].read(line, setting)
		}
	}
	return slices.DeleteFunc(zones, func(z zone) bool { return z.target == "" && len(z.rules) == 0 })
}

// read takes a line of z. setting is the one that lines without a name belong to.
func (z *zone) read(line, setting string) string {
	value := strings.TrimSpace(line)
	if m := settingLine.FindStringSubmatch(line); m != nil {
		setting, value = m[1], m[2]
	}
	words := strings.Fields(value)
	switch setting {
	case "target":
		z.target = strings.TrimSpace(value)
	case "interfaces":
		z.bound = len(words) > 0
	case "sources":
		z.sources = append(z.sources, words...)
	case "services":
		z.services = append(z.services, words...)
	case "ports":
		z.ports = append(z.ports, words...)
	case "protocols":
		z.protos = append(z.protos, words...)
	case "forward-ports":
		z.forwards = append(z.forwards, words...)
	}
	return setting
}

// A zoneFile is the file of a zone, /etc/firewalld/zones/public.xml.
type zoneFile struct {
	XMLName    xml.Name
	Target     string       `xml:"target,attr"`
	Interfaces []xmlPart    `xml:"interface"`
	Sources    []xmlPart    `xml:"source"`
	Services   []xmlPart    `xml:"service"`
	Ports      []xmlPart    `xml:"port"`
	Protocols  []xmlPart    `xml:"protocol"`
	Forwards   []xmlPart    `xml:"forward-port"`
	Rules      []xmlElement `xml:"rule"`
}

// An xmlPart is an element by its attributes.
type xmlPart struct {
	Attributes []xml.Attr `xml:",any,attr"`
}

// An xmlElement is an element with what is in it.
type xmlElement struct {
	XMLName    xml.Name
	Attributes []xml.Attr   `xml:",any,attr"`
	Parts      []xmlElement `xml:",any"`
}

func (p xmlPart) get(name string) string {
	for _, a := range p.Attributes {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// readZoneFile reads the file of the zone of that name.
func readZoneFile(name, shown string, text []byte) (zone, error) {
	z := zone{name: name, at: Place{File: shown}}
	var f zoneFile
	if err := xml.Unmarshal(text, &f); err != nil {
		return z, fmt.Errorf("reading zone: %w", err)
	}
	if f.XMLName.Local != "zone" {
		return z, ErrNoListing
	}
	z.target, z.bound = f.Target, len(f.Interfaces) > 0
	for _, s := range f.Sources {
		text := s.get("address")
		if set := s.get("ipset"); set != "" {
			text = "ipset:" + set
		}
		z.sources = append(z.sources, text)
	}
	for _, s := range f.Services {
		z.services = append(z.services, s.get("name"))
	}
	for _, p := range f.Ports {
		z.ports = append(z.ports, p.get("port")+"/"+p.get("protocol"))
	}
	for _, p := range f.Protocols {
		z.protos = append(z.protos, p.get("value"))
	}
	for _, p := range f.Forwards {
		z.forwards = append(z.forwards, fmt.Sprintf("port=%s:proto=%s:toport=%s:toaddr=%s",
			p.get("port"), p.get("protocol"), p.get("to-port"), p.get("to-addr")))
	}
	for _, r := range f.Rules {
		z.rules = append(z.rules, listed{richText(r), z.at})
	}
	return z, nil
}

// richText writes a rule of a file as firewalld lists it.
func richText(r xmlElement) string {
	var words []string
	for _, part := range append([]xmlElement{{XMLName: xml.Name{Local: "rule"}, Attributes: r.Attributes}}, r.Parts...) {
		words = append(words, part.XMLName.Local)
		for _, a := range part.Attributes {
			words = append(words, fmt.Sprintf("%s=%q", a.Name.Local, a.Value))
		}
	}
	return strings.Join(words, " ")
}

// setsBeside returns the sets whose files lie with those of zones: ../ipsets.
func setsBeside(file string) Sets {
	return func(name string) ([]string, bool) {
		if name != filepath.Base(name) {
			return nil, false
		}
		for _, folder := range []string{"ipsets", "../ipsets", "../../ipsets"} {
			text, err := os.ReadFile(filepath.Join(file, folder, name+".xml"))
			var set struct {
				Entries []string `xml:"entry"`
			}
			if err == nil && xml.Unmarshal(text, &set) == nil {
				return set.Entries, true
			}
		}
		return nil, false
	}
}
