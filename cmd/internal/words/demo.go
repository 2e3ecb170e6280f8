package words

// Texts of demo.
var (
	DemoTitle     = Text{"lqproxy demo: all of this runs on this machine, and nothing leaves it", "lqproxy 演示：全部在本机运行，不访问外网"}
	DemoProxy     = Text{"proxy", "代理"}
	DemoPlatform  = Text{"simulated Leqi", "模拟乐企平台"}
	DemoAdmin     = Text{"status page", "状态页"}
	DemoPortTaken = Text{"port %s is taken, so the proxy is on port %s", "端口 %s 已被占用，代理改用端口 %s"}
	DemoTry       = Text{"Try these two calls in another terminal:", "请在另一个终端试这两个调用："}
	DemoSandbox   = Text{"sandbox", "沙箱"}
	DemoLive      = Text{"production", "生产"}
	DemoExpect    = Text{"An answer with %q shows that the call went all the way.", "应答中出现 %q，说明链路已通。"}
	DemoWatch     = Text{"What the proxy says of itself:", "代理自身的状态："}
	DemoLog       = Text{"Each call is shown below. Ctrl-C ends the demo.", "每次调用的日志显示在下方，按 Ctrl-C 结束演示。"}
	DemoEnded     = Text{"demo ended; calls: %d; nothing is left behind", "演示已结束，共 %d 次调用，未留下任何文件"}
)
