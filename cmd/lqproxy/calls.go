package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// A callPrinter turns lines of the access log into short ones for people:
//
//	10:52:01 200 POST /access/v2/invoke/202007/CXKYSL  4.2 ms  4057
//
// What is no such line it passes on. It is given whole lines.
type callPrinter struct{ w io.Writer }

// A call is what is shown of a line of the access log.
type call struct {
	Time     time.Time `json:"time"`
	Status   int       `json:"status"`
	Method   string    `json:"method"`
	Path     string    `json:"path"`
	Total    int64     `json:"total_us"`
	LeqiCode string    `json:"leqi_code"`
	Reason   string    `json:"reason"`
	Detail   string    `json:"detail"`
}

// Write implements io.Writer.
func (p *callPrinter) Write(lines []byte) (int, error) {
	var out bytes.Buffer
	for line := range bytes.Lines(lines) {
		var c call
		if json.Unmarshal(line, &c) != nil {
			out.Write(line)
			continue
		}
		out.WriteString(c.String() + "\n")
	}
	if _, err := p.w.Write(out.Bytes()); err != nil {
		return 0, fmt.Errorf("printing calls: %w", err)
	}
	return len(lines), nil
}

// String is c in a line, short enough for the calls that demo proposes.
func (c call) String() string {
	parts := []string{
		fmt.Sprintf("%s %d %s", c.Time.Format(time.TimeOnly), c.Status, strings.TrimSpace(c.Method+" "+c.Path)),
		fmt.Sprintf("%.1f ms", float64(c.Total)/1000),
		c.LeqiCode, c.Reason, c.Detail,
	}
	parts = slices.DeleteFunc(parts, func(part string) bool { return part == "" })
	return strings.Join(parts, "  ")
}
