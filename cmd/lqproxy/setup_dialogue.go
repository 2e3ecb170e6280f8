package main

import (
	"context"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/lqproxy/lqproxy/cmd/internal/dialogue"
	"github.com/lqproxy/lqproxy/cmd/internal/host"
	"github.com/lqproxy/lqproxy/cmd/internal/setup"
	"github.com/lqproxy/lqproxy/cmd/internal/words"
	"github.com/lqproxy/lqproxy/configs"
)

// dialogue asks what the flags have left open. Its error ends the run.
func (r *setupRun) dialogue(ctx context.Context) error {
	if err := r.askLanguage(ctx); err != nil {
		return err
	}
	r.lookAround(ctx)
	for _, question := range []func(context.Context) error{
		r.askCloud, r.askUnit, r.askDevice, r.askListen, r.askTLS, r.askLocal, r.askUpstream,
	} {
		if err := question(ctx); err != nil {
			return err
		}
	}
	return nil
}

// askLanguage asks for the language of all that follows, and of the service.
func (r *setupRun) askLanguage(ctx context.Context) error {
	if r.given("lang") {
		return nil
	}
	languages := []words.Lang{words.English, words.Chinese}
	preset := 1 + slices.Index(languages, r.Lang)
	n, err := r.number(ctx, r.In(words.SetupLanguage), len(languages), preset)
	if err != nil {
		return err
	}
	r.flag = string(languages[n-1]) // whatever the file says
	r.configured("")
	r.draft.Answer(setup.Language(r.flag))
	return nil
}

// number asks for a number from 1 to most.
func (r *setupRun) number(ctx context.Context, text string, most, preset int) (int, error) {
	answer, err := r.person.Ask(ctx, dialogue.Question{
		Text: text, Preset: strconv.Itoa(preset),
		Judge: func(answer string) []string { return r.judgeNumbers([]string{answer}, most) },
	})
	n, _ := strconv.Atoi(answer)
	return n, err
}

func (r *setupRun) judgeNumbers(answers []string, most int) []string {
	for _, answer := range answers {
		if n, err := strconv.Atoi(answer); err != nil || n < 1 || n > most {
			return []string{r.In(words.SetupBadNumber, answer, most)}
		}
	}
	return nil
}

// choose lists what there is, and asks for the number of one.
func (r *setupRun) choose(ctx context.Context, title words.Text, options []string, preset int) (int, error) {
	r.list(title, options)
	return r.number(ctx, r.In(words.SetupNumber), len(options), preset)
}

func (r *setupRun) list(title words.Text, options []string) {
	r.Note(words.Verbatim, "")
	r.paragraph(r.In(title))
	for i, option := range options {
		r.Note(words.Verbatim, "  "+strconv.Itoa(i+1)+"  "+option)
	}
}

// ask asks for the value of keys, which package configs judges.
func (r *setupRun) ask(ctx context.Context, text words.Text, preset, shown string, edits func(answer string) configs.Edits) (string, error) {
	answer, err := r.person.Ask(ctx, dialogue.Question{
		Text: r.In(text), Preset: preset, Shown: shown,
		Judge: func(answer string) []string {
			var lines []string
			for _, m := range r.draft.Try(edits(answer)) {
				lines = append(lines, words.Wrap(mistakeText(r.console, m), reportWidth-2*detailIndent)...)
			}
			return lines
		},
	})
	if err == nil {
		r.draft.Answer(edits(answer))
	}
	return answer, err
}

// lookAround says what is there already.
func (r *setupRun) lookAround(ctx context.Context) {
	title := words.SetupWrites
	if r.draft.Exists {
		title = words.SetupRevises
	}
	r.paragraph(r.In(title, r.file))
	r.paragraph(r.In(words.SetupHow))
	addresses := r.draft.Now.Listen.Addresses
	switch {
	case r.given("listen"):
		addresses = r.flags.listen
	case r.flags.instance != "" && !r.draft.Exists:
		addresses = nil // the usual port is that of another instance
	}
	for _, port := range ports(addresses) {
		r.sayHolder(port)
	}
	if r.host.Unit(ctx, "firewalld.service").Active {
		r.paragraph(r.In(words.SetupFirewallUp))
	}
}

// sayHolder says who listens on port, if that matters.
func (r *setupRun) sayHolder(port uint16) {
	holder, taken := r.host.Holder(port)
	switch {
	case !taken:
	case holder == nil:
		r.paragraph(r.In(words.SetupHeldHidden, port))
	case holder.Name == host.Nginx:
		r.paragraph(r.In(words.SetupNginx, holder.PID, port))
	case holder.Name == serviceUser:
		r.paragraph(r.In(words.SetupRunsNow, holder.PID))
	default:
		r.paragraph(r.In(words.SetupHeld, holder.Name, holder.PID, port))
	}
}

// askCloud asks who may call.
func (r *setupRun) askCloud(ctx context.Context) error {
	cloud := setup.Cloud(r.flags.cloud)
	if cloud == "" {
		preset := max(1, 1+slices.Index(setup.Clouds, setup.CloudOf(r.draft.Now)))
		n, err := r.choose(ctx, words.SetupAskCloud, []string{r.In(words.SetupPublic), r.In(words.SetupPrivate)}, preset)
		if err != nil {
			return err
		}
		cloud = setup.Clouds[n-1]
	}
	if cloud == setup.Public {
		return r.askPresets(ctx)
	}
	r.draft.Answer(setup.Presets(nil))
	if r.given("source") {
		return nil
	}
	preset := strings.Join(prefixTexts(r.draft.Now.Allow.Sources), ",")
	shown := preset
	if preset == "" {
		shown = r.In(words.SetupNeeded)
	}
	r.Note(words.Verbatim, "")
	r.paragraph(r.In(words.SetupOfSources))
	_, err := r.ask(ctx, words.SetupAskSources, preset, shown, func(answer string) configs.Edits { return setup.Sources(dialogue.List(answer)) })
	return err
}

// askPresets asks for sets of Kingdee's addresses, by number.
func (r *setupRun) askPresets(ctx context.Context) error {
	if r.given("preset") {
		return nil
	}
	sets := r.draft.Now.Presets
	var chosen []string
	for i, set := range sets {
		now := r.draft.Now.Allow.Presets
		// Without a choice so far it is all of them, as the guide has it.
		if slices.Contains(now, set.Name) || len(now) == 0 && set.Name == "kingdee-all" {
			chosen = append(chosen, strconv.Itoa(i+1))
		}
	}
	r.list(words.SetupAskPresets, presetLines(r.Lang, sets))
	answer, err := r.person.Ask(ctx, dialogue.Question{
		Text: r.In(words.SetupNumbers), Preset: strings.Join(chosen, ","),
		Judge: func(answer string) []string {
			return r.judgeNumbers(append(dialogue.List(answer), emptyAsOne(answer)...), len(sets))
		},
	})
	if err != nil {
		return err
	}
	var names []string
	for _, number := range dialogue.List(answer) {
		n, _ := strconv.Atoi(number)
		names = append(names, sets[n-1].Name)
	}
	slices.Sort(names)
	r.flags.presets = slices.Compact(names)
	r.draft.Answer(setup.Presets(r.flags.presets))
	return nil
}

// presetLines describes sets, in columns.
func presetLines(l words.Lang, sets []configs.Preset) []string {
	var t words.Table
	for _, set := range sets {
		purpose := words.PresetPurpose(l, set)
		if purpose == "" {
			purpose = strings.Join(prefixTexts(set.Addresses), " ")
		}
		t.Row(set.Name, purpose)
	}
	var b strings.Builder
	t.WriteTo(&b) //nolint:errcheck // a Builder takes everything
	return strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
}

// emptyAsOne has no answer judged as a bad one.
func emptyAsOne(answer string) []string {
	if len(dialogue.List(answer)) == 0 {
		return []string{answer}
	}
	return nil
}

// usualUnit is how many characters the id of a unit has.
const usualUnit = 20

func (r *setupRun) askUnit(ctx context.Context) error {
	if r.given("unit") {
		return nil
	}
	preset, shown := "", r.In(words.SetupNone)
	if units := r.draft.Now.Proxy.Units; len(units) > 0 {
		preset, shown = units[0].ID, units[0].ID
	}
	r.Note(words.Verbatim, "")
	id, err := r.ask(ctx, words.SetupAskUnit, preset, shown, setup.Unit)
	if n := utf8.RuneCountInString(id); err == nil && n > 0 && n != usualUnit {
		r.paragraph("  " + r.In(words.SetupUnitLength, n))
	}
	return err
}

// askDevice asks what stands in front.
func (r *setupRun) askDevice(ctx context.Context) error {
	if r.given("device") {
		return nil
	}
	now, addresses := setup.DeviceOf(r.draft.Now)
	n, err := r.choose(ctx, words.SetupAskDevice, []string{
		r.In(words.SetupDeviceNo), r.In(words.SetupDeviceProxy), r.In(words.SetupDeviceXFF), r.In(words.SetupDeviceOwn),
	}, 1+slices.Index(setup.Devices, now))
	if err != nil {
		return err
	}
	device := setup.Devices[n-1]
	if device == setup.NoDevice {
		r.draft.Answer(setup.InFront(device, nil))
		r.front(device, nil)
		return nil
	}
	preset := strings.Join(prefixTexts(addresses), ",")
	shown := preset
	if preset == "" {
		shown = r.In(words.SetupNeeded)
	}
	answer, err := r.person.Ask(ctx, dialogue.Question{Text: r.In(words.SetupAskBehind), Preset: preset, Shown: shown, Judge: func(answer string) []string {
		if len(dialogue.List(answer)) == 0 {
			return []string{r.In(words.SetupNeeded)}
		}
		var lines []string
		for _, m := range r.draft.Try(setup.InFront(device, dialogue.List(answer))) {
			lines = append(lines, mistakeText(r.console, m))
		}
		return lines
	}})
	if err != nil {
		return err
	}
	r.draft.Answer(setup.InFront(device, dialogue.List(answer)))
	r.front(device, dialogue.List(answer))
	return nil
}

func (r *setupRun) askListen(ctx context.Context) error {
	if r.given("listen") {
		return nil
	}
	r.Note(words.Verbatim, "")
	preset := strings.Join(r.draft.Now.Listen.Addresses, ",")
	answer, err := r.ask(ctx, words.SetupAskListen, preset, "", func(answer string) configs.Edits { return setup.Listen(dialogue.List(answer)) })
	if err == nil && answer != preset {
		for _, port := range ports(dialogue.List(answer)) {
			r.sayHolder(port)
		}
	}
	return err
}

// askTLS asks how callers connect.
func (r *setupRun) askTLS(ctx context.Context) error {
	if r.given("tls") {
		return nil
	}
	modes := []configs.TLSMode{configs.TLSOff, configs.TLSFiles, configs.TLSACME}
	now := r.draft.Now.Listen
	n, err := r.choose(ctx, words.SetupAskTLS, []string{
		r.In(words.SetupTLSOff), r.In(words.SetupTLSFiles), r.In(words.SetupTLSACME),
	}, 1+slices.Index(modes, now.TLS))
	if err != nil {
		return err
	}
	e := setup.Encryption{Mode: modes[n-1]}
	switch e.Mode {
	case configs.TLSFiles:
		return r.askFiles(ctx, e)
	case configs.TLSACME:
		return r.askAuthority(ctx, e)
	}
	r.draft.Answer(e.Edits())
	return nil
}

// askFiles asks for certificate and key; the one is judged with the other.
func (r *setupRun) askFiles(ctx context.Context, e setup.Encryption) (err error) {
	now := r.draft.Now.Listen
	e.CertFile, err = r.person.Ask(ctx, dialogue.Question{
		Text: r.In(words.SetupAskCert), Preset: now.CertFile, Shown: r.orNeeded(now.CertFile),
		Judge: func(answer string) []string {
			// With itself for a key, for now: whether it can be read is the question.
			return r.judgeKey("listen.cert_file", setup.Encryption{Mode: e.Mode, CertFile: answer, KeyFile: answer})
		},
	})
	if err != nil {
		return err
	}
	_, err = r.ask(ctx, words.SetupAskKey, now.KeyFile, r.orNeeded(now.KeyFile), func(answer string) configs.Edits {
		e.KeyFile = answer
		return e.Edits()
	})
	return err
}

// askAuthority asks where the certificate comes from.
func (r *setupRun) askAuthority(ctx context.Context, e setup.Encryption) (err error) {
	now := r.draft.Now.Listen.ACME
	e.CAFile = now.CAFile
	e.Directory, err = r.person.Ask(ctx, dialogue.Question{
		Text: r.In(words.SetupAskDir), Preset: now.Directory, Shown: r.orNeeded(now.Directory),
		Judge: func(answer string) []string {
			return r.judgeKey("listen.acme.directory", setup.Encryption{Mode: e.Mode, Directory: answer})
		},
	})
	if err != nil {
		return err
	}
	domains := strings.Join(now.Domains, ",")
	_, err = r.ask(ctx, words.SetupAskDomains, domains, r.orNeeded(domains), func(answer string) configs.Edits {
		e.Domains = dialogue.List(answer)
		return e.Edits()
	})
	return err
}

// judgeKey judges one key of e, the others of which are not known yet.
func (r *setupRun) judgeKey(key string, e setup.Encryption) []string {
	for _, m := range r.draft.Try(e.Edits()) {
		if m.Key == key && m.Kind != configs.NotKeyPair {
			return words.Wrap(mistakeText(r.console, m), reportWidth-2*detailIndent)
		}
	}
	return nil
}

func (r *setupRun) orNeeded(value string) string {
	if value == "" {
		return r.In(words.SetupNeeded)
	}
	return value
}

func (r *setupRun) askLocal(ctx context.Context) error {
	if r.given("local-address") {
		return nil
	}
	preset, shown := "", r.In(words.SetupAutomatic)
	if a := r.draft.Now.Upstream.LocalAddress; a.IsValid() {
		preset, shown = a.String(), a.String()
	}
	r.Note(words.Verbatim, "")
	r.paragraph(r.In(words.SetupOfLocal))
	_, err := r.ask(ctx, words.SetupAskLocal, preset, shown, setup.Local)
	return err
}

// askUpstream asks for the host of a second instance; the first one's is Leqi.
func (r *setupRun) askUpstream(ctx context.Context) error {
	if r.given("upstream") || r.flags.instance == "" {
		return nil
	}
	_, err := r.ask(ctx, words.SetupAskUpstream, hostPort(r.draft.Now), "", setup.Upstream)
	return err
}

// prefixTexts writes prefixes as the configuration has them.
func prefixTexts(prefixes []netip.Prefix) []string {
	var all []string
	for _, p := range prefixes {
		if p.IsSingleIP() {
			all = append(all, p.Addr().String())
		} else {
			all = append(all, p.String())
		}
	}
	return all
}
