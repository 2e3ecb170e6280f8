// Package admin is the listener for whoever looks after lqproxy: metrics,
// health, status and a page. It changes nothing, shows nothing of a call but
// its count, and has no profiler.
//
//	/metrics   for Prometheus
//	/healthz   200 while the process lives
//	/readyz    200 while exchanges are accepted, else 503; it does not depend
//	           on Leqi, or both nodes of a pair would leave together
//	/status    a Status as JSON
//	/          the same as a page, in Chinese or English (?lang=), without scripts
//
// Who may not ask is disconnected before a byte is read.
package admin
