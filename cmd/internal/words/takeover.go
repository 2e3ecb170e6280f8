package words

import (
	"errors"

	"github.com/lqproxy/lqproxy/cmd/internal/takeover"
)

// Texts of takeover.
var (
	ShortTakeover = Text{"put lqproxy in the place of nginx, or go back", "用 lqproxy 接替 nginx，或退回"}

	FlagBack       = Text{"put nginx back in its place", "退回 nginx"}
	FlagStopAnyway = Text{"stop nginx although it serves other ports too", "即使 nginx 还在服务其他端口也停止它"}
	FlagNoProbe    = Text{"do not require that Leqi is reached through lqproxy", "不要求经 lqproxy 连通乐企"}

	TakeoverNginx   = Text{"nginx (pid %d, %s) listens on port %s; lqproxy would take its place:", "nginx（pid %d，%s）正在监听 %s 端口；将由 lqproxy 接替："}
	TakeoverBack    = Text{"lqproxy took the place of nginx on %s; nginx would take it back:", "lqproxy 已于 %s 接替 nginx；将退回 nginx："}
	TakeoverNowhere = Text{"it is in no start file", "不在任何启动文件中"}
	TakeoverByHand  = Text{"started by hand", "手工启动"}
	TakeoverUndo    = Text{"If one of them fails, everything is put back as it was.", "任何一步失败都会自动恢复原状。"}
	TakeoverAsk     = Text{"Do it?", "执行？"}
	TakeoverAskStop = Text{"nginx also serves port %s: all that ends with it. Stop it all the same?", "nginx 还在服务 %s 端口，停止后这些服务也会中断。仍要停止？"}
	TakeoverDry     = Text{"nothing was changed; --yes does it", "未做任何改动；加 --yes 执行"}
	TakeoverNothing = Text{"nothing was changed", "未做任何改动"}
	TakeoverDone    = Text{"lqproxy has taken over; nobody could connect for %.2f s", "lqproxy 已接替 nginx；无法连接的时间为 %.2f 秒"}
	TakeoverReturn  = Text{"\"lqproxy takeover --back\" puts nginx back", "要退回 nginx：lqproxy takeover --back"}
	TakeoverBacked  = Text{"nginx is back; nobody could connect for %.2f s", "已退回 nginx；无法连接的时间为 %.2f 秒"}
	TakeoverAlready = Text{"lqproxy has the port already (pid %d)", "端口已由 lqproxy 监听（pid %d）"}
	TakeoverNever   = Text{"there is nothing to take back: lqproxy has not taken over", "没有可退回的：lqproxy 没有接替过 nginx"}

	TakeoverNoRoot    = Text{"takeover needs root", "接替 nginx 需要 root 权限"}
	TakeoverFailed    = Text{"this failed: %s: %v", "此步失败：%s：%v"}
	takeoverOccupied  = Text{"the port did not become free", "端口没有被释放"}
	takeoverVacant    = Text{"the port was not opened, or not by the right one", "端口没有打开，或不是由应有的程序打开"}
	TakeoverRestored  = Text{"everything is as it was before", "已恢复原状"}
	TakeoverStuck     = Text{"putting it back failed too: %v", "恢复原状也失败：%v"}
	TakeoverLook      = Text{"\"lqproxy doctor\" says how it stands; \"lqproxy takeover --back\" tries again to put nginx back", "用 lqproxy doctor 查看现状；用 lqproxy takeover --back 再次尝试退回 nginx"}
	TakeoverJournal   = Text{"journalctl -u %s says why lqproxy did not start", "lqproxy 未能启动的原因见 journalctl -u %s"}
	TakeoverDirect    = Text{"this machine is no source of lqproxy's: Leqi is probed without it (add \"127.0.0.1\" to allow.sources to probe through it)", "本机不在 lqproxy 的来源之列：改为不经 lqproxy 直接测试（在 allow.sources 中加入 \"127.0.0.1\" 即可经其测试）"}
	TakeoverUnprobed  = Text{"no access unit is configured: Leqi is not called", "未配置接入单位：不测试调用"}
	TakeoverUnreached = Text{"Leqi was not reached", "未能连通乐企"}

	TakeoverNoSystemd  = Text{"systemd does not run this machine: nothing could start lqproxy after nginx", "本机不由 systemd 管理：停止 nginx 后无法自动启动 lqproxy"}
	TakeoverByHandHow  = Text{"by hand: kill -QUIT %d && runuser -u %s -- lqproxy serve -c %s &", "手工执行：kill -QUIT %d && runuser -u %s -- lqproxy serve -c %s &"}
	TakeoverNoService  = Text{"%s is not installed", "未安装 %s"}
	TakeoverInstall    = Text{"install lqproxy from its package, or with install.sh", "请用安装包或 install.sh 安装 lqproxy"}
	TakeoverFree       = Text{"nobody listens on port %s: there is no place to take", "%s 端口无人监听，无需接替"}
	TakeoverStart      = Text{"start it: systemctl enable --now %s", "直接启动：systemctl enable --now %s"}
	TakeoverHidden     = Text{"who listens on port %s cannot be seen", "无法看到是谁在监听 %s 端口"}
	TakeoverOther      = Text{"it is not nginx, but %s (pid %d), that listens on port %s", "监听 %[3]s 端口的不是 nginx，而是 %[1]s（pid %[2]d）"}
	TakeoverKept       = Text{"nginx (pid %d) is run by %s, which would start it again", "nginx（pid %d）由 %s 运行，停止后会被重新启动"}
	TakeoverKeptHow    = Text{"take it out of %s by hand, then: systemctl enable --now %s", "请先在 %s 中手工停用它，再执行 systemctl enable --now %s"}
	TakeoverCron       = Text{"cron would start nginx with the machine: %s", "cron 会在开机时启动 nginx：%s"}
	TakeoverCronHow    = Text{"take that line out (crontab -e, or the file itself), then try again", "请删去该行（crontab -e，或直接编辑该文件），再重新执行"}
	TakeoverOthers     = Text{"nginx (pid %d) also serves port %s, which would end with it", "nginx（pid %d）还在服务 %s 端口，停止它会使这些服务中断"}
	TakeoverOthersHow  = Text{"take the server of port %s out of its configuration, nginx -s reload, then: systemctl enable --now %s", "请从其配置中删去 %s 端口的 server，执行 nginx -s reload，再执行 systemctl enable --now %s"}
	TakeoverOthersStop = Text{"or stop all of it: --stop-nginx-anyway", "或连同其他服务一起停止：--stop-nginx-anyway"}
)

// takeoverSteps say what is done; the arguments are nginx as it is known, the
// unit of lqproxy and what starts nginx with the machine.
var takeoverSteps = map[takeover.Step]Text{
	takeover.StopNginx:       {"end nginx, which finishes the calls under way (%[1]s)", "停止 nginx，进行中的调用会完成（%[1]s）"},
	takeover.StartLqproxy:    {"start %[2]s", "启动 %[2]s"},
	takeover.AwaitLqproxy:    {"wait until %[2]s is ready", "等待 %[2]s 就绪"},
	takeover.Probe:           {"test the way to Leqi with %[2]s in place", "%[2]s 就位后测试到乐企的连通性"},
	takeover.DisableNginx:    {"keep nginx from starting with the machine (%[3]s)", "取消 nginx 的开机启动（%[3]s）"},
	takeover.EnableLqproxy:   {"have %[2]s start with the machine", "设置 %[2]s 开机自启"},
	takeover.StopLqproxy:     {"end %[2]s, which finishes the calls under way", "停止 %[2]s，进行中的调用会完成"},
	takeover.StartNginx:      {"start nginx (%[1]s)", "启动 nginx（%[1]s）"},
	takeover.EnableNginx:     {"have nginx start with the machine again (%[3]s)", "恢复 nginx 的开机启动（%[3]s）"},
	takeover.DisableLqproxy:  {"keep %[2]s from starting with the machine", "取消 %[2]s 的开机自启"},
	takeover.BringNginxBack:  {"bring nginx back (%[1]s)", "恢复 nginx（%[1]s）"},
	takeover.BringProxyBack:  {"bring %[2]s back", "恢复 %[2]s"},
	takeover.RestoreStarting: {"put back what starts with the machine (%[3]s)", "恢复开机启动设置（%[3]s）"},
}

// TakeoverStep says what s does.
func TakeoverStep(l Lang, s takeover.Step, nginx, unit, starts string) string {
	return takeoverSteps[s].In(l, nginx, unit, starts)
}

// TakeoverError says what went wrong. What the host itself said stays as it is.
func TakeoverError(l Lang, err error) string {
	switch {
	case errors.Is(err, takeover.ErrOccupied):
		return takeoverOccupied.In(l)
	case errors.Is(err, takeover.ErrVacant):
		return takeoverVacant.In(l)
	}
	return err.Error()
}
