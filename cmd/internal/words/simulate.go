package words

// Texts of simulate and version.
var (
	SimulateReady     = Text{"simulated Leqi on https://%s, scenario %s; Ctrl-C ends it", "模拟乐企平台已启动：https://%s，场景 %s；按 Ctrl-C 结束"}
	SimulateScenarios = Text{"Scenarios:", "场景："}
	SimulateUnknown   = Text{"there is no scenario %q", "没有场景 %q"}
	SimulateKnown     = Text{"the scenarios are:", "可选的场景："}
	SimulateListen    = Text{"cannot listen on %s: %v", "无法监听 %s：%v"}
	SimulateEnded     = Text{"simulated Leqi ended; requests: %d", "模拟乐企平台已结束，共收到 %d 次请求"}

	Version = Text{"lqproxy %s (%s, %s, %s)", "lqproxy %s（%s，%s，%s）"}
)
