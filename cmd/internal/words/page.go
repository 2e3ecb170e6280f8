package words

// PageOther is the name of the other language, in itself: the link at the top of the page leads there.
var PageOther = Text{"中文", "English"}
