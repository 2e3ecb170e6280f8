package certs

import (
	"slices"
	"strings"
	"time"
)

// A Problem is one thing that is wrong with a certificate, a key, or the way
// to get one. Which of the fields are set depends on Kind: they are those that
// its text names.
type Problem struct {
	Kind Kind

	File     string    // that is wrong, as it was named; the authority's directory if that failed
	Other    string    // the file that it does not go with
	Detail   string    // what was found: an issuer, an algorithm, a type of PEM block
	Names    []string  // of the certificate, or that were asked for
	Wanted   []string  // that callers use, and that are not among Names
	URL      string    // where the issuer's certificate is published
	Date     time.Time // from or until when it is valid
	Commands []string  // that convert File, to be run in this order
	Err      error     // of a library or the system
}

// A Kind is what sort of problem it is. The set is closed: see [Kinds].
type Kind string

// What a file may be instead of a certificate or its key.
const (
	Unreadable   Kind = "unreadable"
	NotPEM       Kind = "not_pem"
	NotUTF8      Kind = "utf16"
	PKCS12       Kind = "pkcs12"
	Keystore     Kind = "keystore"
	PKCS7        Kind = "pkcs7"
	DER          Kind = "der"
	EncryptedKey Kind = "encrypted_key"
	Request      Kind = "request"
	PublicKey    Kind = "public_key"
	KeyInPlace   Kind = "key_in_place" // of the certificate
	CertInPlace  Kind = "certificate_in_place"
	OtherBlock   Kind = "other_block"
	Damaged      Kind = "damaged"
	SM2          Kind = "sm2"
	OtherKey     Kind = "other_key"
	WrongOrder   Kind = "wrong_order"
)

// What is wrong with a certificate that can be read.
const (
	Expired         Kind = "expired"
	NotYetValid     Kind = "not_yet_valid"
	IssuerUnknown   Kind = "issuer_unknown"
	IssuerPublished Kind = "issuer_published"
	OtherNames      Kind = "other_names"
	WeakKey         Kind = "weak_key"
	WeakSignature   Kind = "weak_signature"
)

// Why an authority gave no certificate.
const (
	AuthorityUnreachable Kind = "authority_unreachable"
	AuthorityUntrusted   Kind = "authority_untrusted"
	AuthorityFailed      Kind = "authority_failed"
	AuthorityRefused     Kind = "authority_refused"
	AuthorityLimits      Kind = "authority_limits"
	ChallengeFailed      Kind = "challenge_failed"
	NotStored            Kind = "not_stored"
)

// texts are the English and the Chinese of all kinds, as Problem.format reads them.
var texts = map[Kind]struct{ en, zh string }{
	Unreadable:   {`{file} cannot be read: {cause}`, `无法读取 {file}：{cause}`},
	NotPEM:       {`{file} is not a PEM file: it has no line -----BEGIN ...-----`, `{file} 不是 PEM 文件：其中没有 -----BEGIN ...----- 行`},
	NotUTF8:      {`{file} is UTF-16 text; save it as UTF-8`, `{file} 是 UTF-16 文本，请另存为 UTF-8`},
	PKCS12:       {`{file} is a PKCS#12 (PFX) file; convert it (OpenSSL 3 may need -legacy):{commands}`, `{file} 是 PKCS#12（PFX）文件，请转换（OpenSSL 3 若报 unsupported，请加 -legacy）：{commands}`},
	Keystore:     {`{file} is a Java keystore (JKS); convert it:{commands}`, `{file} 是 Java 密钥库（JKS），请转换：{commands}`},
	PKCS7:        {`{file} is a PKCS#7 (p7b) bundle; convert it:{commands}`, `{file} 是 PKCS#7（p7b）证书包，请转换：{commands}`},
	DER:          {`{file} is binary (DER), not PEM; convert it:{commands}`, `{file} 是二进制（DER）而不是 PEM，请转换：{commands}`},
	EncryptedKey: {`the key in {file} is encrypted, and at a start there is nobody to type its password; decrypt it:{commands}`, `{file} 中的私钥已加密，而服务启动时无人输入密码，请解密：{commands}`},
	Request:      {`{file} is a certificate request (CSR), not a certificate: send it to the authority and use the certificate that it returns`, `{file} 是证书申请文件（CSR）而不是证书：请提交给证书颁发机构，使用其签发的证书`},
	PublicKey:    {`{file} is a public key; the private key is needed, or for cert_file the certificate`, `{file} 是公钥；key_file 需要私钥，cert_file 需要证书`},
	KeyInPlace:   {`{file} is a private key where the certificate should be: cert_file and key_file may be swapped`, `{file} 是私钥，此处应为证书：cert_file 和 key_file 可能写反了`},
	CertInPlace:  {`{file} is a certificate where the private key should be: cert_file and key_file may be swapped`, `{file} 是证书，此处应为私钥：cert_file 和 key_file 可能写反了`},
	OtherBlock:   {`{file} holds {detail}, which is neither a certificate nor a private key`, `{file} 的内容是 {detail}，既不是证书也不是私钥`},
	Damaged:      {`{file} is damaged: {cause}`, `{file} 已损坏：{cause}`},
	SM2:          {`{file} is of the Chinese algorithm SM2, which TLS 1.2 and 1.3 here do not know; ask the authority for an RSA or ECDSA certificate`, `{file} 使用国密 SM2 算法，本程序的 TLS 不支持；请向证书颁发机构申请 RSA 或 ECDSA 证书`},
	OtherKey:     {`{file} and {other} do not belong together: the key is that of another certificate`, `{file} 与 {other} 不配套：私钥属于另一张证书`},
	WrongOrder:   {`in {file} the certificate of the key must come first, then its issuers`, `{file} 中与私钥对应的证书必须排在最前，其后是中间证书`},

	Expired:         {`{file}: the certificate expired on {date}`, `{file}：证书已于 {date} 过期`},
	NotYetValid:     {`{file}: the certificate is not valid before {date}; is the clock right?`, `{file}：证书自 {date} 起才有效，请核对系统时间`},
	IssuerUnknown:   {`{file}: the issuer "{detail}" is neither in the file nor known to this machine; if it is an intermediate, append its certificate, or callers will refuse`, `{file}：签发者“{detail}”的证书既不在文件中，本机也不认识；如果它是中间证书，请追加到文件末尾，否则调用方会拒绝`},
	IssuerPublished: {`{file}: the certificate of the intermediate "{detail}" is missing and callers will refuse; append it, it is published at {url} (DER: openssl x509 -inform DER)`, `{file}：缺少中间证书“{detail}”，调用方会拒绝；请追加到文件末尾，下载地址 {url}（DER 格式用 openssl x509 -inform DER 转换）`},
	OtherNames:      {`{file}: callers that use https://{wanted} will refuse the certificate, which is for {names}`, `{file}：以 https://{wanted} 访问的调用方会拒绝此证书，证书中的名称是 {names}`},
	WeakKey:         {`{file}: {detail} is too weak a key, and callers may refuse it; the least is RSA 2048`, `{file}：密钥 {detail} 强度不足，调用方可能拒绝；至少应为 RSA 2048`},
	WeakSignature:   {`{file}: it is signed with {detail}, which callers refuse; have it issued anew`, `{file}：证书签名算法 {detail} 已不安全，调用方会拒绝，请重新签发`},

	AuthorityUnreachable: {`the authority {file} cannot be reached: {cause}; DNS, routes and firewalls must let this machine get there`, `无法连接证书颁发机构 {file}：{cause}；请检查 DNS、路由和防火墙`},
	AuthorityUntrusted:   {`the server at {file} is not trusted: {cause}; set listen.acme.ca_file to the root certificate of your authority`, `不信任 {file} 的服务器证书：{cause}；请把企业 CA 的根证书写入 listen.acme.ca_file`},
	AuthorityFailed:      {`the authority {file} failed: {cause}`, `证书颁发机构 {file} 出错：{cause}`},
	AuthorityRefused:     {`the authority {file} refuses {names}: {cause}`, `证书颁发机构 {file} 拒绝签发 {names}：{cause}`},
	AuthorityLimits:      {`the authority {file} has had too many requests: {cause}`, `证书颁发机构 {file} 限制了申请频率：{cause}`},
	ChallengeFailed:      {`the authority {file} could not verify {names}: {cause}; port 80 there must lead to listen.acme.http_address, see lqproxy firewall plan`, `证书颁发机构 {file} 未能验证 {names}：{cause}；其 80 端口须转发到 listen.acme.http_address，命令见 lqproxy firewall plan`},
	NotStored:            {`{file} cannot be written: {cause}`, `无法写入 {file}：{cause}`},
}

// Kinds returns all kinds, sorted.
func Kinds() []Kind {
	all := make([]Kind, 0, len(texts))
	for k := range texts {
		all = append(all, k)
	}
	slices.Sort(all)
	return all
}

// Error says in English what is wrong, and what to do about it, in one line.
func (p *Problem) Error() string { return p.format(texts[p.Kind].en, " "+p.oneCommand()) }

// Chinese says the same as Error in Chinese.
func (p *Problem) Chinese() string { return p.format(texts[p.Kind].zh, p.oneCommand()) }

// Lines returns the texts of Error and of Chinese for a terminal: each command
// on a line of its own, to be copied from there, behind indent.
func (p *Problem) Lines(indent string) (english, chinese string) {
	between := "\n" + indent
	commands := between + strings.Join(p.Commands, between)
	return p.format(texts[p.Kind].en, commands), p.format(texts[p.Kind].zh, commands)
}

func (p *Problem) oneCommand() string { return strings.Join(p.Commands, " && ") }

// Unwrap returns the error of the library or the system, if there was one.
func (p *Problem) Unwrap() error { return p.Err }

func (p *Problem) format(text, commands string) string {
	cause := ""
	if p.Err != nil {
		cause = oneLine(p.Err.Error())
	}
	return strings.NewReplacer(
		"{file}", p.File,
		"{other}", p.Other,
		"{detail}", p.Detail,
		"{names}", strings.Join(p.Names, ", "),
		"{wanted}", strings.Join(p.Wanted, ", https://"),
		"{url}", p.URL,
		"{date}", p.Date.Local().Format(time.DateTime),
		"{commands}", commands,
		"{cause}", cause,
	).Replace(text)
}

// longestCause bounds what is repeated of an error, in bytes: an authority may
// answer with a page.
const longestCause = 400

// oneLine makes of s one line that is not too long.
func oneLine(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > longestCause {
		return strings.ToValidUTF8(s[:longestCause], "") + "..."
	}
	return s
}

// same reports whether p says what q says.
func (p *Problem) same(q *Problem) bool {
	if p == nil || q == nil {
		return p == q
	}
	return p.Error() == q.Error()
}
