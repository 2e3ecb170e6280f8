package certs

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"
)

// der returns what is in the first block of text.
func der(t *testing.T, text []byte) []byte {
	t.Helper()
	b, _ := pem.Decode(text)
	if b == nil {
		t.Fatalf("no PEM: %q", text)
	}
	return b.Bytes
}

// inSM2 returns data, of the curve P-256, as if it were of SM2.
func inSM2(data []byte) []byte {
	p256 := []byte{0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07}
	return bytes.ReplaceAll(data, p256, oidSM2)
}

func asUTF16(text []byte) []byte {
	out := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune(string(text))) {
		out = append(out, byte(u), byte(u>>8))
	}
	return out
}

func marshalled(t *testing.T, v any) []byte {
	t.Helper()
	data, err := asn1.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestParseNamesWhatAFileIsInstead(t *testing.T) {
	t.Parallel()
	now := time.Now()
	good, other := newPair(t, "a", now.Add(-day), now.Add(year)), newPair(t, "b", now.Add(-day), now.Add(year))
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	request, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	pfx := marshalled(t, struct {
		Version int
		Content struct{ Type asn1.ObjectIdentifier }
	}{3, struct{ Type asn1.ObjectIdentifier }{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}}})
	p7b := marshalled(t, struct{ Type asn1.ObjectIdentifier }{oidSignedData})
	jks := append(bytes.Clone(magicJKS), 0, 0, 0, 2)
	legacy := []byte("-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nAAAA\n-----END EC PRIVATE KEY-----\n")
	for _, tt := range []struct {
		name      string
		cert, key []byte
		want      Kind   // "": it is accepted
		text      string // in the message
	}{
		{"a pair", good.cert, good.key, "", ""},
		{"both in one", append(bytes.Clone(good.key), good.cert...), append(bytes.Clone(good.cert), good.key...), "", ""},
		{"a byte order mark", append([]byte("\xef\xbb\xbf"), good.cert...), append([]byte("\xef\xbb\xbf"), good.key...), "", ""},
		{"parameters before the key", good.cert, append([]byte("-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"), good.key...), "", ""},
		{"PFX", pfx, good.key, PKCS12, "openssl pkcs12 -in /etc/a.pfx -clcerts -nokeys -out /etc/a-cert.pem && openssl pkcs12 -in /etc/a.pfx -cacerts -nokeys >> /etc/a-cert.pem && openssl pkcs12 -in /etc/a.pfx -nocerts -nodes -out /etc/a-key.pem"},
		{"PFX for the key", good.cert, pfx, PKCS12, "openssl pkcs12 -in '/etc/my key.pem' -clcerts"},
		{"JKS", jks, good.key, Keystore, "keytool -importkeystore -srckeystore /etc/a.pfx -destkeystore /etc/a.p12 -deststoretype PKCS12 && openssl pkcs12 -in /etc/a.p12 -clcerts"},
		{"p7b", p7b, good.key, PKCS7, "openssl pkcs7 -print_certs -inform DER -in /etc/a.pfx"},
		{"p7b in PEM", encoded(blockPKCS7, p7b), good.key, PKCS7, "-inform PEM"},
		{"DER certificate", der(t, good.cert), good.key, DER, "openssl x509 -inform DER -in /etc/a.pfx -out /etc/a.pem"},
		{"DER key", good.cert, der(t, good.key), DER, "openssl pkey -inform DER -in '/etc/my key.pem' -out '/etc/my key.pem'"},
		{"encrypted key", good.cert, encoded(blockEncrypted, []byte{1}), EncryptedKey, "openssl pkey -in '/etc/my key.pem' -out '/etc/my key-plain.pem'"},
		{"encrypted key of old", good.cert, legacy, EncryptedKey, "openssl pkey"},
		{"request", encoded("CERTIFICATE REQUEST", request), good.key, Request, "CSR"},
		{"request of Windows", encoded("NEW CERTIFICATE REQUEST", request), good.key, Request, "CSR"},
		{"request in DER", request, good.key, Request, "CSR"},
		{"public key", good.cert, encoded("PUBLIC KEY", public), PublicKey, "the private key is needed"},
		{"swapped", good.key, good.cert, KeyInPlace, "swapped"},
		{"two certificates", good.cert, good.cert, CertInPlace, "swapped"},
		{"list of revoked ones", encoded("X509 CRL", nil), good.key, OtherBlock, "X509 CRL"},
		{"trusted certificate", encoded(blockTrusted, der(t, good.cert)), good.key, OtherBlock, "-trustout"},
		{"half a certificate", encoded(blockCertificate, der(t, good.cert)[:100]), good.key, Damaged, "damaged"},
		{"half a key", good.cert, encoded(blockPKCS8, der(t, good.key)[:50]), Damaged, "damaged"},
		{"SM2 certificate", encoded(blockCertificate, inSM2(der(t, good.cert))), good.key, SM2, "SM2"},
		{"SM2 certificate in DER", inSM2(der(t, good.cert)), good.key, SM2, "SM2"},
		{"SM2 key", good.cert, encoded(blockPKCS8, inSM2(der(t, good.key))), SM2, "SM2"},
		{"key of another", good.cert, other.key, OtherKey, "/etc/a.pfx and /etc/my key.pem do not belong together"},
		{"issuer first", append(bytes.Clone(other.cert), good.cert...), good.key, WrongOrder, "must come first"},
		{"UTF-16", asUTF16(good.cert), good.key, NotUTF8, "UTF-16"},
		{"empty", nil, good.key, NotPEM, "not a PEM file"},
		{"text", []byte("hello"), good.key, NotPEM, "not a PEM file"},
		{"a number in DER", []byte{2, 1, 5}, good.key, NotPEM, "not a PEM file"},
		{"some sequence", []byte{0x30, 3, 2, 1, 5}, good.key, Damaged, "damaged"},
	} {
		_, err := Parse("/etc/a.pfx", tt.cert, "/etc/my key.pem", tt.key)
		p, _ := errors.AsType[*Problem](err)
		switch {
		case tt.want == "":
			if err != nil {
				t.Errorf("Parse(%s) = %v, want nil", tt.name, err)
			}
		case p == nil || p.Kind != tt.want || !strings.Contains(p.Error(), tt.text):
			t.Errorf("Parse(%s) = %v, want %s with %q", tt.name, err, tt.want, tt.text)
		}
	}
}

var placeholder = regexp.MustCompile(`\{[a-z]+\}`)

func TestTextsSayTheSameInBothLanguages(t *testing.T) {
	t.Parallel()
	for _, k := range Kinds() {
		en, zh := map[string]bool{}, map[string]bool{}
		for _, name := range placeholder.FindAllString(texts[k].en, -1) {
			en[name] = true
		}
		for _, name := range placeholder.FindAllString(texts[k].zh, -1) {
			zh[name] = true
		}
		if diff := cmp.Diff(en, zh); diff != "" || texts[k].zh == texts[k].en {
			t.Errorf("%s: parameters of the texts (-en +zh):\n%s", k, diff)
		}
		p := Problem{Kind: k, Err: errors.New("cause")}
		for _, text := range []string{p.Error(), p.Chinese()} {
			if left := placeholder.FindString(text); left != "" {
				t.Errorf("%s leaves %s in %q", k, left, text)
			}
		}
	}
}

func TestLinesHaveEachCommandOnItsOwn(t *testing.T) {
	t.Parallel()
	p := Problem{Kind: Keystore, File: "a.jks", Commands: exporting("a.jks")}
	english, chinese := p.Lines("  ")
	want := `a.jks is a Java keystore (JKS); convert it:
  keytool -importkeystore -srckeystore a.jks -destkeystore a.p12 -deststoretype PKCS12
  openssl pkcs12 -in a.p12 -clcerts -nokeys -out a-cert.pem
  openssl pkcs12 -in a.p12 -cacerts -nokeys >> a-cert.pem
  openssl pkcs12 -in a.p12 -nocerts -nodes -out a-key.pem`
	if diff := cmp.Diff(want, english); diff != "" {
		t.Errorf("Lines (-want +got):\n%s", diff)
	}
	if head, _, _ := strings.Cut(chinese, "\n"); head != "a.jks 是 Java 密钥库（JKS），请转换：" {
		t.Errorf("first of the Chinese lines = %q", head)
	}
	if got, want := p.Error(), "a.jks is a Java keystore (JKS); convert it: keytool"; !strings.HasPrefix(got, want) || strings.Contains(got, "\n") {
		t.Errorf("Error() = %q, want one line that begins with %q", got, want)
	}
}

// need skips the test where a program is not installed; CI has it.
func need(t *testing.T, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
}

// shell runs what a person would type; passwords are answered with PASS.
func shell(t *testing.T, dir, command string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-ec", command)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
}

// withPassword adds to the commands what a person is asked for.
func withPassword(command string) string {
	command = strings.ReplaceAll(command, "openssl pkcs12 ", "openssl pkcs12 -passin pass:secret ")
	command = strings.ReplaceAll(command, "openssl pkey ", "openssl pkey -passin pass:secret ")
	return strings.ReplaceAll(command, "keytool ", "keytool -srcstorepass secret -deststorepass secret -noprompt ")
}

// TestCommandsConvert runs the commands that a refusal names, and reads what
// they made.
func TestCommandsConvert(t *testing.T) {
	need(t, "openssl")
	const chain = `openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -subj /CN=ca -days 9 2>/dev/null
openssl req -newkey rsa:2048 -nodes -keyout site.key -out site.csr -subj /CN=site 2>/dev/null
openssl x509 -req -in site.csr -CA ca.pem -CAkey ca.key -set_serial 2 -days 9 -out site.pem 2>/dev/null
`
	for _, tt := range []struct {
		name, make string
		cert, key  string // as configured
		want       Kind
		converted  [2]string
		program    string
	}{
		{"PFX", `openssl pkcs12 -export -in site.pem -inkey site.key -certfile ca.pem -out 'my site.pfx' -passout pass:secret`, "my site.pfx", "my site.pfx", PKCS12, [2]string{"my site-cert.pem", "my site-key.pem"}, "openssl"},
		{"PKCS#12 called JKS", `openssl pkcs12 -export -in site.pem -inkey site.key -certfile ca.pem -out site.jks -passout pass:secret`, "site.jks", "site.jks", PKCS12, [2]string{"site-cert.pem", "site-key.pem"}, "openssl"},
		{"JKS", `openssl pkcs12 -export -in site.pem -inkey site.key -certfile ca.pem -out in.p12 -passout pass:secret
keytool -importkeystore -srckeystore in.p12 -srcstoretype PKCS12 -destkeystore site.jks -deststoretype JKS -srcstorepass secret -deststorepass secret -noprompt`, "site.jks", "site.jks", Keystore, [2]string{"site-cert.pem", "site-key.pem"}, "keytool"},
		{"p7b", `openssl crl2pkcs7 -nocrl -certfile site.pem -certfile ca.pem -outform DER -out site.p7b`, "site.p7b", "site.key", PKCS7, [2]string{"site-cert.pem", "site.key"}, "openssl"},
		{"DER", `openssl x509 -in site.pem -outform DER -out site.cer`, "site.cer", "site.key", DER, [2]string{"site.pem", "site.key"}, "openssl"},
		{"encrypted key", `openssl pkcs8 -topk8 -in site.key -out locked.key -passout pass:secret`, "site.pem", "locked.key", EncryptedKey, [2]string{"site.pem", "locked-plain.pem"}, "openssl"},
		{"encrypted key of old", `openssl rsa -traditional -aes256 -in site.key -out locked.key -passout pass:secret 2>/dev/null`, "site.pem", "locked.key", EncryptedKey, [2]string{"site.pem", "locked-plain.pem"}, "openssl"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			need(t, tt.program)
			dir := t.TempDir()
			shell(t, dir, chain+tt.make)
			in := func(name string) string { return filepath.Join(dir, name) }
			_, err := OpenFiles(in(tt.cert), in(tt.key), Options{})
			p, _ := errors.AsType[*Problem](err)
			if p == nil || p.Kind != tt.want {
				t.Fatalf("OpenFiles(%s, %s) = %v, want %s", tt.cert, tt.key, err, tt.want)
			}
			shell(t, dir, withPassword(strings.Join(p.Commands, "\n")))
			f, err := OpenFiles(in(tt.converted[0]), in(tt.converted[1]), Options{})
			if err != nil {
				t.Fatalf("after %q: OpenFiles = %v", p.Commands, err)
			}
			if got := f.Leaf().Subject.CommonName; got != "site" {
				t.Errorf("certificate of %q, want site", got)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), []byte{0x30, 3, 2, 1, 5})
	f.Add([]byte{0xfe, 0xed, 0xfe, 0xed}, []byte("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END RSA PRIVATE KEY-----\n"))
	f.Add([]byte{0x30, 0x80, 2, 1, 3}, []byte{0xff, 0xfe})
	f.Fuzz(func(t *testing.T, cert, key []byte) {
		pair, err := Parse("cert", cert, "key", key)
		if p, ok := errors.AsType[*Problem](err); err != nil && (!ok || texts[p.Kind].en == "") {
			t.Errorf("Parse = %v, want a Problem with a text", err)
		}
		if err == nil && pair.Leaf == nil {
			t.Error("Parse gave a pair without its leaf")
		}
	})
}
