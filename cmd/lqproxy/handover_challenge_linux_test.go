package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"
)

// handChallenge hands over in the middle of an order: an authority that asks for
// the proof gets it at every moment, from either process. The authority itself
// is not there, so nothing else answers or ends the challenge.
func handChallenge(r *relayRace) {
	const domain, token, proof = "proxy.example", "token", "token.thumbprint"
	address := unusedAddress(r.t)
	r.configure(fmt.Sprintf(`listen.tls = "acme"
listen.acme = {directory = "https://127.0.0.1:1/dir", domains = [%q], http_address = %q}
`, domain, address))
	r.keepChallenge("127.0.0.1-1-dir", domain, fmt.Sprintf(`{"type": "http-01", "token": %q, "keyAuthorization": %q,
		"identifier": {"type": "dns", "value": %q}}`, token, proof, domain))
	r.start()
	ctx, leave := context.WithCancel(r.t.Context())
	done := make(chan error, 1)
	var asked atomic.Int64
	go func() {
		for ctx.Err() == nil {
			if got, err := askChallenge(r.t.Context(), address, domain, token); err != nil || got != proof {
				done <- fmt.Errorf("challenge %d = %q, %v, want %q", asked.Load(), got, err, proof)
				return
			}
			asked.Add(1)
		}
		done <- nil
	}()
	more := func() {
		r.t.Helper()
		before := asked.Load()
		r.await("challenges are answered", func() bool { return asked.Load() > before+10 || len(done) > 0 })
	}
	more()
	for _, program := range []string{r.programs.next, r.programs.old} {
		before := r.instance().PID
		r.upgrade(program)
		more()
		r.await("the former process ends", func() bool { return processEnded(before) })
		more()
	}
	leave()
	if err := <-done; err != nil {
		r.t.Error(err)
	}
}

// keepChallenge puts a challenge where certmagic keeps those of an authority, for
// other processes of the instance.
func (r *relayRace) keepChallenge(authority, domain, challenge string) {
	r.t.Helper()
	folder := filepath.Join(r.dir, "state", "acme", "acme", authority, "challenge_tokens")
	err := os.MkdirAll(folder, 0o700)
	if err == nil {
		err = os.WriteFile(filepath.Join(folder, domain+".json"), []byte(challenge), 0o600)
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

// askChallenge asks for a proof as authorities do (RFC 8555, section 8.3).
func askChallenge(ctx context.Context, address, domain, token string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/.well-known/acme-challenge/"+token, nil)
	if err != nil {
		return "", err
	}
	request.Host = domain
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %s", answer.Status)
	}
	return string(text), err
}
