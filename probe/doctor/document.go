package doctor

// A document is what a report says, before it has a form.
type document struct {
	Title    string
	Subtitle string
	Sections []section
}

type section struct {
	Heading string
	Blocks  []block
}

// A block is one of its members; the others are empty.
type block struct {
	Facts   []fact
	Table   *table
	Console []string // lines of a terminal
	Note    string   // a paragraph
	Blank   []string // places to be filled in by hand, on paper
}

// A fact has a mark where it matters how it is known.
type fact struct{ Label, Value, Mark string }

type table struct {
	Head    []string
	Numbers int // so many columns at the end hold numbers
	Rows    [][]string
}

// IsNumber reports whether the column holds numbers.
func (t *table) IsNumber(column int) bool { return column >= len(t.Head)-t.Numbers }
