package certs

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"path/filepath"
	"slices"
	"strings"
)

// What files begin with that are no text.
var (
	magicJKS   = []byte{0xfe, 0xed, 0xfe, 0xed}
	magicJCEKS = []byte{0xce, 0xce, 0xce, 0xce}
	utf16Marks = [][]byte{{0xff, 0xfe}, {0xfe, 0xff}}
)

// Object identifiers.
var (
	oidSignedData = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2} // PKCS#7
	// oidSM2 is the curve 1.2.156.10197.1.301 in DER, as GB/T 33560 numbers it.
	oidSM2 = []byte{0x06, 0x08, 0x2a, 0x81, 0x1c, 0xcf, 0x55, 0x01, 0x82, 0x2d}
)

// withoutPEM says what data is, which holds no PEM.
func withoutPEM(file string, data []byte) *Problem {
	begins := func(magic []byte) bool { return bytes.HasPrefix(data, magic) }
	switch {
	case begins(magicJKS), begins(magicJCEKS):
		return &Problem{Kind: Keystore, File: file, Commands: exporting(file)}
	case slices.ContainsFunc(utf16Marks, begins):
		return &Problem{Kind: NotUTF8, File: file}
	}
	var outer asn1.RawValue
	if _, err := asn1.Unmarshal(data, &outer); err != nil || outer.Tag != asn1.TagSequence {
		return &Problem{Kind: NotPEM, File: file}
	}
	return ofDER(file, data, outer.Bytes)
}

// ofDER says what data is, a DER sequence of the elements in inner.
func ofDER(file string, data, inner []byte) *Problem {
	if isPKCS12(inner) {
		return &Problem{Kind: PKCS12, File: file, Commands: splitting(file)}
	}
	var content asn1.ObjectIdentifier
	if _, err := asn1.Unmarshal(inner, &content); err == nil && content.Equal(oidSignedData) {
		return &Problem{Kind: PKCS7, File: file, Commands: unpacking(file, "DER")}
	}
	if _, err := privateKey(data); err == nil {
		return &Problem{Kind: DER, File: file, Commands: decoding("pkey", file)}
	}
	if _, err := x509.ParseCertificateRequest(data); err == nil {
		return &Problem{Kind: Request, File: file}
	}
	if _, err := x509.ParseCertificate(data); err != nil {
		return damaged(file, data, err)
	}
	return &Problem{Kind: DER, File: file, Commands: decoding("x509", file)}
}

// isPKCS12 reports whether a sequence of the elements in inner is a PFX: the
// version 3, and content (RFC 7292, section 4).
func isPKCS12(inner []byte) bool {
	var version int
	rest, err := asn1.Unmarshal(inner, &version)
	if err != nil || version != 3 {
		return false
	}
	var content struct {
		Type asn1.ObjectIdentifier
		Data asn1.RawValue `asn1:"optional"`
	}
	_, err = asn1.Unmarshal(rest, &content)
	return err == nil
}

// splitting returns the commands that make a certificate and a key of a
// PKCS#12 file: first the certificate of the key, then its issuers.
func splitting(file string) []string {
	cert := quoted(stem(file) + "-cert.pem")
	in := "openssl pkcs12 -in " + quoted(file)
	return []string{
		in + " -clcerts -nokeys -out " + cert,
		in + " -cacerts -nokeys >> " + cert,
		in + " -nocerts -nodes -out " + quoted(stem(file)+"-key.pem"),
	}
}

// exporting returns the commands that do the same for a Java keystore.
func exporting(file string) []string {
	between := stem(file) + ".p12"
	export := "keytool -importkeystore -srckeystore " + quoted(file) + " -destkeystore " + quoted(between) + " -deststoretype PKCS12"
	return append([]string{export}, splitting(between)...)
}

func decrypting(file string) []string {
	return []string{"openssl pkey -in " + quoted(file) + " -out " + quoted(stem(file)+"-plain.pem")}
}

func unpacking(file, form string) []string {
	return []string{"openssl pkcs7 -print_certs -inform " + form + " -in " + quoted(file) + " -out " + quoted(stem(file)+"-cert.pem")}
}

func decoding(command, file string) []string {
	return []string{"openssl " + command + " -inform DER -in " + quoted(file) + " -out " + quoted(stem(file)+".pem")}
}

// stem returns file without what stands behind its last dot.
func stem(file string) string { return strings.TrimSuffix(file, filepath.Ext(file)) }

// quoted returns file as a shell reads it back.
func quoted(file string) string {
	plain := func(r rune) bool {
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("/._-+=:,@", r)
	}
	if strings.IndexFunc(file, func(r rune) bool { return !plain(r) }) < 0 {
		return file
	}
	return "'" + strings.ReplaceAll(file, "'", `'\''`) + "'"
}
