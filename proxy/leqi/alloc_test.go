//go:build !race

package leqi

import "testing"

func TestParsePathDoesNotAllocate(t *testing.T) {
	for _, path := range []string{
		"/access/v2/invoke/202007/CXKYSL", "/access/newsandbox/v2/invoke/999999/NEW/",
		"/access/sandbox_kzfw/v1/CXSYDWJRZT", "/access/v1/getToken", "/elsewhere",
	} {
		b := []byte(path)
		if n := testing.AllocsPerRun(100, func() { ParsePath(b) }); n != 0 {
			t.Errorf("ParsePath(%s) allocates %v times, want 0", path, n)
		}
	}
}

func TestSampleDoesNotAllocate(t *testing.T) {
	for name, body := range map[string]string{
		"plain": answer(2048),
		"large": answer(1 << 20),
		"error": `{"body":"{\"Response\":{\"Error\":{\"Code\":\"77\",\"Message\":\"\u5f53\"}}}","httpStatusCode":"200"}`,
		"page":  "<html></html>",
		"busy":  busyPhrase.gbk,
	} {
		var s Sample
		b, encoding := []byte(body), []byte("identity")
		if n := testing.AllocsPerRun(100, func() { s.Reset(encoding); s.Write(b); s.Code(200) }); n != 0 {
			t.Errorf("%s: a Sample allocates %v times, want 0", name, n)
		}
	}
}
