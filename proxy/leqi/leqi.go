// Package leqi knows the platform: its paths, abilities and services, the codes
// in its answers, and what they mean. It does no I/O and keeps nothing secret:
// bodies are encrypted, and what is read here is the envelope around them.
//
// The tables are those of the tax authority's manuals. What is not in them is
// "other", so that everything this package returns is of a closed set and fit
// for a metric's label.
package leqi

// Header fields that belong to Leqi, as the manuals spell them.
const (
	FieldUnit         = "jrdwptbh"         // unit (接入单位), 20 characters
	FieldUsingUnit    = "sydwptbh"         // using unit (使用单位)
	FieldAbility      = "nlbm"             // ability
	FieldService      = "fwbm"             // service
	FieldCase         = "ylbm"             // test case of the sandbox
	FieldSandbox      = "sxcsbz"           // mark of the sandbox
	FieldSignature    = "access_signature" // sent empty; never logged
	FieldToken        = "access_token"     // never logged
	FieldClientTID    = "clientTid"        // optional, 32 characters: correlates logs
	FieldTaxAuthority = "mbswjgDm"
	FieldPlatformType = "ptlx"
)

// Fields are the names of all header fields that belong to Leqi, as the
// manuals spell them. It is never modified.
var Fields = []string{
	FieldUnit, FieldUsingUnit, FieldAbility, FieldService, FieldCase, FieldSandbox,
	FieldSignature, FieldToken, FieldClientTID, FieldTaxAuthority, FieldPlatformType,
}
