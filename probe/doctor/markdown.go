package doctor

import "strings"

// markdown returns d in CommonMark with tables.
func markdown(d document) string {
	var b strings.Builder
	b.WriteString("# " + escape(d.Title) + "\n\n" + escape(d.Subtitle) + "\n")
	for _, s := range d.Sections {
		b.WriteString("\n## " + escape(s.Heading) + "\n")
		for _, block := range s.Blocks {
			markdownBlock(&b, block)
		}
	}
	return b.String()
}

func markdownBlock(b *strings.Builder, block block) {
	b.WriteByte('\n')
	if len(block.Facts) > 0 {
		t := &table{Head: []string{"项目", "内容", "来源"}}
		for _, f := range block.Facts {
			t.Rows = append(t.Rows, []string{f.Label, f.Value, f.Mark})
		}
		markdownTable(b, t)
	}
	if block.Note != "" {
		b.WriteString(escape(block.Note) + "\n")
	}
	if block.Table != nil {
		markdownTable(b, block.Table)
	}
	if len(block.Console) > 0 {
		markdownConsole(b, block.Console)
	}
	for _, label := range block.Blank {
		b.WriteString("- " + escape(label) + "：\n")
	}
}

func markdownTable(b *strings.Builder, t *table) {
	markdownRow(b, t.Head)
	rule := make([]string, len(t.Head))
	for i := range t.Head {
		rule[i] = "---"
		if t.IsNumber(i) {
			rule[i] = "---:"
		}
	}
	b.WriteString("| " + strings.Join(rule, " | ") + " |\n")
	for _, row := range t.Rows {
		markdownRow(b, row)
	}
}

func markdownRow(b *strings.Builder, cells []string) {
	for _, cell := range cells {
		b.WriteString("| " + escape(cell) + " ")
	}
	b.WriteString("|\n")
}

// markdownConsole fences lines with more marks than any of them has.
func markdownConsole(b *strings.Builder, lines []string) {
	text := strings.Join(lines, "\n")
	fence := "```"
	for strings.Contains(text, fence) {
		fence += "`"
	}
	b.WriteString(fence + "text\n" + text + "\n" + fence + "\n")
}

// special are the characters that mean something in a line of Markdown.
var special = strings.NewReplacer(
	`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "<", `\<`, ">", `\>`, "|", `\|`, "#", `\#`,
	"\r", " ", "\n", " ",
)

func escape(s string) string { return special.Replace(s) }
