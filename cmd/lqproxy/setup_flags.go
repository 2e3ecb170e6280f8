package main

import (
	"os"
	"slices"
	"strings"

	"github.com/lqproxy/lqproxy/cmd/internal/setup"
	"github.com/lqproxy/lqproxy/cmd/internal/words"
	"github.com/lqproxy/lqproxy/configs"
	"github.com/spf13/pflag"
)

// setupFlags are the flags of setup, as typed.
type setupFlags struct {
	settings
	output, cloud, unit, local, upstream, device string
	presets, sources, listen                     []string
	tls                                          string
	encryption                                   setup.Encryption
	yes                                          bool
}

// add adds the flags to a command's.
func (f *setupFlags) add(c *console, flags *pflag.FlagSet) {
	f.settings.add(c, flags)
	flags.StringVar(&f.output, "output", "", c.In(words.FlagOutput))
	flags.StringVar(&f.cloud, "cloud", "", c.In(words.FlagCloud))
	flags.StringSliceVar(&f.presets, "preset", nil, c.In(words.FlagPreset))
	flags.StringSliceVar(&f.sources, "source", nil, c.In(words.FlagSource))
	flags.StringVar(&f.unit, "unit", "", c.In(words.FlagFirstUnit))
	flags.StringVar(&f.device, "device", "", c.In(words.FlagDevice))
	flags.StringSliceVar(&f.listen, "listen", nil, c.In(words.FlagListenOn))
	flags.StringVar(&f.tls, "tls", "", c.In(words.FlagTLS))
	flags.StringVar(&f.encryption.CertFile, "cert-file", "", c.In(words.FlagCertFile))
	flags.StringVar(&f.encryption.KeyFile, "key-file", "", c.In(words.FlagKeyFile))
	flags.StringVar(&f.encryption.Directory, "acme-directory", "", c.In(words.FlagDirectory))
	flags.StringSliceVar(&f.encryption.Domains, "acme-domain", nil, c.In(words.FlagDomain))
	flags.StringVar(&f.encryption.CAFile, "acme-ca-file", "", c.In(words.FlagAuthority))
	flags.StringVar(&f.local, "local-address", "", c.In(words.FlagSetupLocal))
	flags.StringVar(&f.upstream, "upstream", "", c.In(words.FlagUpstream))
	flags.BoolVar(&f.yes, "yes", false, c.In(words.FlagYesWrite))
	for _, name := range []string{"preset", "source", "listen", "acme-domain"} {
		flags.Lookup(name).DefValue = "" // or the help says "default []"
	}
}

// given reports whether a flag was typed.
func (r *setupRun) given(name string) bool { return r.cmd.Flags().Changed(name) }

// takeFlags takes the flags as answers.
func (r *setupRun) takeFlags() error {
	f := r.flags
	if err := r.takeCloud(); err != nil {
		return err
	}
	for _, a := range []struct {
		flag string
		edit configs.Edits
	}{
		{"unit", setup.Unit(f.unit)},
		{"listen", setup.Listen(f.listen)},
		{"local-address", setup.Local(f.local)},
		{"upstream", setup.Upstream(f.upstream)},
	} {
		if err := r.take(a.flag, a.edit); err != nil {
			return err
		}
	}
	if err := r.takeTLS(); err != nil {
		return err
	}
	return r.takeDevice()
}

// take takes the value of a flag, if it was given. Its failure says what is
// wrong with it.
func (r *setupRun) take(flag string, answer configs.Edits) error {
	if !r.given(flag) {
		return nil
	}
	if wrong := r.draft.Try(answer); len(wrong) > 0 {
		return r.usage(r.In(words.SetupBadFlag, flagName(flag), mistakeText(r.console, wrong[0])))
	}
	r.draft.Answer(answer)
	return nil
}

// takeCloud takes who may call.
func (r *setupRun) takeCloud() error {
	f := r.flags
	switch cloud := setup.Cloud(f.cloud); {
	case f.cloud != "" && !slices.Contains(setup.Clouds, cloud):
		return r.usage(r.In(words.SetupBadCloud, f.cloud))
	case cloud == setup.Private && len(f.presets) > 0:
		return r.usage(r.In(words.SetupNoPresets))
	case cloud == setup.Private:
		r.draft.Answer(setup.Presets(nil))
	}
	if err := r.take("preset", setup.Presets(f.presets)); err != nil {
		return err
	}
	return r.take("source", setup.Sources(f.sources))
}

// takeTLS takes how callers connect. Flags of another mode than the one chosen
// are a misunderstanding.
func (r *setupRun) takeTLS() error {
	f := r.flags
	for _, of := range []struct {
		flag string
		mode configs.TLSMode
	}{
		{"cert-file", configs.TLSFiles},
		{"key-file", configs.TLSFiles},
		{"acme-directory", configs.TLSACME},
		{"acme-domain", configs.TLSACME},
		{"acme-ca-file", configs.TLSACME},
	} {
		if r.given(of.flag) && f.tls != string(of.mode) {
			return r.usage(r.In(words.SetupBadTLS, flagName(of.flag), string(of.mode)))
		}
	}
	if missing := r.missingTLS(); len(missing) > 0 {
		return r.usage(r.In(words.SetupMissing, strings.Join(missing, ", ")), helpHint(r.console, r.cmd))
	}
	f.encryption.Mode = configs.TLSMode(f.tls)
	return r.take("tls", f.encryption.Edits())
}

// missingTLS returns the flags that the mode of --tls needs beside it, unless
// the file has their keys.
func (r *setupRun) missingTLS() []string {
	listen := r.draft.Now.Listen
	var missing []string
	for _, of := range []struct {
		flag string
		mode configs.TLSMode
		set  bool
	}{
		{"cert-file", configs.TLSFiles, listen.CertFile != ""},
		{"key-file", configs.TLSFiles, listen.KeyFile != ""},
		{"acme-directory", configs.TLSACME, listen.ACME.Directory != ""},
		{"acme-domain", configs.TLSACME, len(listen.ACME.Domains) > 0},
	} {
		if r.flags.tls == string(of.mode) && !of.set && !r.given(of.flag) {
			missing = append(missing, flagName(of.flag))
		}
	}
	return missing
}

// takeDevice takes what stands in front.
func (r *setupRun) takeDevice() error {
	if !r.given("device") {
		return nil
	}
	device, addresses, ok := setup.ParseDevice(r.flags.device)
	if !ok {
		return r.usage(r.In(words.SetupBadDevice, r.flags.device), helpHint(r.console, r.cmd))
	}
	if err := r.take("device", setup.InFront(device, addresses)); err != nil {
		return err
	}
	r.front(device, addresses)
	return nil
}

// front notes the device, and whom it hides.
func (r *setupRun) front(device setup.Device, addresses []string) {
	r.device, r.behind = device, addresses
	if device != setup.Rewrites {
		return
	}
	names := r.flags.presets
	if len(names) == 0 {
		names = r.draft.Now.Allow.Presets
	}
	r.hidden = nil
	for _, set := range r.draft.Now.Presets {
		if slices.Contains(names, set.Name) {
			r.hidden = append(r.hidden, prefixTexts(set.Addresses)...)
		}
	}
}

// needFlags returns the failure that names what was not said, where nobody can
// be asked.
func (r *setupRun) needFlags() error {
	f, now := r.flags, r.draft.Now
	var missing []string
	need := func(name string, needed bool) {
		if needed && !r.given(name) {
			missing = append(missing, flagName(name))
		}
	}
	nobody := r.device != setup.Rewrites
	need("cloud", true)
	need("preset", f.cloud == string(setup.Public) && len(now.Allow.Presets) == 0 && nobody)
	need("source", f.cloud == string(setup.Private) && len(now.Allow.Sources) == 0 && nobody)
	need("listen", f.instance != "" && !r.draft.Exists)
	_, err := os.Stat(r.file)
	need("yes", f.output != standardOutput && err == nil)
	if len(missing) == 0 {
		return nil
	}
	return r.usage(r.In(words.SetupMissing, strings.Join(missing, ", ")), helpHint(r.console, r.cmd))
}
