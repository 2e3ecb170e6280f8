// Command build makes the packages of lqproxy: deb, rpm and tar.gz for each
// architecture, a bill of materials for each binary, and SHA256SUMS. Whoever
// builds the same commit with the same toolchain gets the same bytes: all times
// are the commit's, all orders sorted, and no path of the machine gets in.
//
// With LQPROXY_SIGN_KEY, a file with an OpenPGP secret key, the packages are
// signed too (its passphrase is NFPM_PASSPHRASE); the archives and SHA256SUMS get
// a detached signature each. SOURCE_DATE_EPOCH stands for the commit's time where
// there is no git.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "packaging:", err)
		os.Exit(1)
	}
}

// run builds what args ask for, in the module whose root is the working folder.
func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("build", flag.ContinueOnError)
	out := flags.String("out", "dist", "`folder` for the packages; what is in it is replaced")
	describe := flags.String("version", "", "what `git describe --tags --always --dirty` says")
	archs := flags.String("arch", "amd64,arm64", "architectures, by commas")
	formats := flags.String("format", "deb,rpm,tar.gz", "formats, by commas")
	if err := flags.Parse(args); err != nil {
		return err
	}
	r, err := newRelease(ctx, *describe)
	if err != nil {
		return err
	}
	defer os.RemoveAll(r.stage) //nolint:errcheck // it lies among temporary files
	r.key, r.archs, r.formats = os.Getenv("LQPROXY_SIGN_KEY"), strings.Split(*archs, ","), strings.Split(*formats, ",")
	if r.out, err = filepath.Abs(*out); err != nil {
		return fmt.Errorf("finding folder %s: %w", *out, err)
	}
	return r.build(ctx)
}
