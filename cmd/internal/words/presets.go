package words

import "github.com/lqproxy/lqproxy/configs"

// presetPurposes are what the built-in sets are for, in Chinese.
var presetPurposes = map[string]string{
	"kingdee-group-sandbox":    "集团沙箱",
	"kingdee-group-production": "集团生产",
	"fpy-sandbox":              "发票云沙箱",
	"fpy-production":           "发票云生产",
	"kingdee-all":              "以上全部",
}

// PresetPurpose says what a set of addresses is for; "" if the file defines it.
func PresetPurpose(l Lang, p configs.Preset) string {
	if chinese := presetPurposes[p.Name]; l == Chinese && p.Purpose != "" && chinese != "" {
		return chinese
	}
	return p.Purpose
}
