package words

// Texts of simulate and version.
var (
	SimulateReady   = Text{"simulated Leqi on https://%s, scenario %s; Ctrl-C ends it", "模拟乐企平台已启动：https://%s，场景 %s；按 Ctrl-C 结束"}
	SimulateUnknown = Text{"there is no scenario %q; there are: %s", "没有场景 %q，可选：%s"}
	SimulateEnded   = Text{"simulated Leqi ended", "模拟乐企平台已结束"}

	Version = Text{"lqproxy %s (%s, %s)", "lqproxy %s（%s，%s）"}
)
