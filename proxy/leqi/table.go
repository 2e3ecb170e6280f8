package leqi

import (
	_ "embed"
	"slices"
	"strings"
	"sync"
)

// An Ability (能力) is a field of business that a unit may be admitted to.
type Ability struct {
	Code string // nlbm: six digits
	Name string // in Chinese
}

// A Service (服务) is one call of an ability. Several abilities share codes, not
// always with the same name.
type Service struct {
	Ability string // nlbm
	Code    string // fwbm: at most 27 characters of [A-Z0-9_]
	Name    string // in Chinese
}

// Abilities returns the known abilities, sorted by code. The caller owns the slice.
func Abilities() []Ability { return slices.Clone(tables().abilities) }

// Services returns the known services, sorted by ability and code. The caller
// owns the slice.
func Services() []Service { return slices.Clone(tables().services) }

// AbilityName returns the Chinese name of an ability, or "" for one that is not known.
func AbilityName(code string) string { return tables().abilityByCode[code].Name }

// ServiceName returns the Chinese name of a service of an ability. Where that
// ability is not known to have it, or is "", it is the name that another
// ability gives it; "" if none does.
func ServiceName(ability, code string) string {
	t := tables()
	if s, ok := t.serviceByBoth[[2]string{ability, code}]; ok {
		return s.Name
	}
	return t.serviceByCode[code].Name
}

//go:embed abilities.tsv
var abilitiesTSV string // code, name

//go:embed services.tsv
var servicesTSV string // ability, code, name

// index is the tables with what finds their rows.
type index struct {
	abilities     []Ability
	services      []Service
	abilityByCode map[string]Ability
	serviceByCode map[string]Service // the first of several
	serviceByBoth map[[2]string]Service
}

// tables returns the index, which is built once and never modified.
var tables = sync.OnceValue(func() *index {
	t := &index{
		abilityByCode: map[string]Ability{},
		serviceByCode: map[string]Service{},
		serviceByBoth: map[[2]string]Service{},
	}
	for line := range strings.Lines(abilitiesTSV) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		t.addAbility(Ability{Code: f[0], Name: f[1]})
	}
	for line := range strings.Lines(servicesTSV) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		t.addService(Service{Ability: f[0], Code: f[1], Name: f[2]})
	}
	return t
})

func (t *index) addAbility(a Ability) {
	t.abilities = append(t.abilities, a)
	t.abilityByCode[a.Code] = a
}

func (t *index) addService(s Service) {
	t.services = append(t.services, s)
	t.serviceByBoth[[2]string{s.Ability, s.Code}] = s
	if _, ok := t.serviceByCode[s.Code]; !ok {
		t.serviceByCode[s.Code] = s
	}
}

// ability returns the table's own string for code, or [Unknown].
func (t *index) ability(code []byte) string {
	if a, ok := t.abilityByCode[string(code)]; ok { // this conversion does not allocate
		return a.Code
	}
	return Unknown
}

// service returns the table's own string for code, or [Unknown].
func (t *index) service(code []byte) string {
	if s, ok := t.serviceByCode[string(code)]; ok {
		return s.Code
	}
	return Unknown
}
