"""What the pages of explanations say, in English and in Chinese."""

from __future__ import annotations

WORDS = {
    "gradients": ("integrated gradients", "积分梯度"),
    "occlusion": ("occlusion, without gradients", "遮挡法（不用梯度）"),
    "shapley": ("Shapley values, without gradients", "沙普利值（不用梯度）"),
    "rollout": ("attention roll-out", "注意力展开"),
    "why": ("Why", "为什么是"),
    "not": ("and not", "而不是"),
    "unsaid": (
        "The model gives no label here; the most probable one is explained.",
        "模型在此没有给出标签；所解释的是概率最高的标签。",
    ),
    "probability": ("probability", "概率"),
    "value": ("value", "数值"),
    "how": ("found by", "方法"),
    "delta": ("in no score", "未计入分数"),
    "from_to": ("from baseline to input", "从基线到输入"),
    "text": ("The text", "文本"),
    "second": ("The second text", "第二段文本"),
    "legend": (
        "Solid underline and blue: speaks for it. Dotted underline and orange: speaks against it. The stronger, the "
        "darker; the score is in each word's title.",
        "蓝色、实线：支持；橙色、点线：反对。颜色越深作用越大；鼠标停在词上可见分数。",
    ),
    "at": ("The framed words are the ones whose tag is explained.", "加框的词是所解释的词。"),
    "twin": (
        "The scores are of the tuned network that this variant was made from, not of the variant itself.",
        "分数来自该变体的原模型，而非变体本身。",
    ),
    "padding": (
        "The text is held against the same text with every token empty.",
        "与每个词元都为空的同一文本比较。",
    ),
    "mean": (
        "Each part is held against the mean of the whole, as if nothing were to be seen there.",
        "每个部分与整体的平均值比较，如同那里什么也没有。",
    ),
    "typical": (
        "Each column is held against the middle number, or the most frequent category, of the training rows; at it a "
        "column has the score 0.",
        "每一列与训练数据的中位数（或最常见的类别）比较；等于它时该列分数为 0。",
    ),
    "prior": (
        "Each input is held against a row without it; with none at all, the frequencies of the classes are the answer.",
        "每种输入与没有它的情形比较；什么输入都没有时，以各类别的频率作答。",
    ),
    "inputs": ("What each input adds", "各种输入的作用"),
    "strongest_inputs": ("The weightiest inputs", "作用最大的输入"),
    "input": ("input", "输入"),
    "columns": ("What each column adds", "各列的作用"),
    "legend_columns": (
        "Blue, to the right: speaks for it. Orange, to the left: speaks against it.",
        "蓝色、向右：支持；橙色、向左：反对。",
    ),
    "strongest_columns": ("The weightiest columns", "作用最大的列"),
    "column": ("column", "列"),
    "picture": ("What the model reads", "模型所读的内容"),
    "legend_grid": (
        "Blue: speaks for it. Orange: speaks against it. The stronger, the denser; what weighs most has a frame, solid "
        "or dotted. The score is in each part's title.",
        "蓝色：支持；橙色：反对。颜色越浓作用越大，作用最大的部分加框（实线支持，点线反对）；鼠标停在该部分上可见分数。",
    ),
    "part": ("row, column", "行，列"),
    "strongest_grid": ("The weightiest parts", "作用最大的部分"),
    "nothing": ("The text is held against a text without words.", "与没有词的文本比较。"),
    "uniform": (
        "Attention is shared out among the words and knows no label; it is here for comparison.",
        "注意力在各词之间分配，与标签无关，仅供比较。",
    ),
    "unread": (
        "characters lie beyond what the model reads, or outside of the window that decides; they have no score.",
        "个字符超出模型所读范围，或在起决定作用的窗口之外，没有分数。",
    ),
    "strongest": ("The weightiest words", "作用最大的词"),
    "word": ("word", "词"),
    "score": ("score", "分数"),
    "count": ("times", "次数"),
    "faithful": ("Can this be trusted?", "是否可信？"),
    "comprehensiveness": (
        "comprehensiveness: probability lost without the best words or parts (high is good)",
        "完备性：去掉最重要的词（或部分）后损失的概率（越高越好）",
    ),
    "random": ("the same with words or parts in random order", "同上，顺序随机"),
    "sufficiency": (
        "sufficiency: probability lost with the best words or parts alone (low is good)",
        "充分性：只留最重要的词（或部分）后损失的概率（越低越好）",
    ),
    "deletion": (
        "deletion: area below the probability while words or parts go (low is good)",
        "删除曲线：逐词（或逐部分）删除时概率曲线下的面积（越低越好）",
    ),
    "comprehensiveness_number": (
        "comprehensiveness: by how much the number falls without the best words or parts, in spreads of the labels",
        "完备性：去掉最重要的词（或部分）后数值下降多少（以标签的标准差计）",
    ),
    "sufficiency_number": (
        "sufficiency: by how much it falls with the best words or parts alone",
        "充分性：只留最重要的词（或部分）后数值下降多少",
    ),
    "deletion_number": (
        "deletion: area below the number while words or parts go",
        "删除曲线：逐词（或逐部分）删除时数值曲线下的面积",
    ),
    "randomised": (
        "rank correlation with the scores under shuffled weights (near 0 is good)",
        "与打乱权重后所得分数的秩相关（接近 0 为好）",
    ),
    "faithful_note": (
        "Averages over the best 1, 5, 10, 20 and 50 % of the words or parts; inputs measured:",
        "取最重要的 1、5、10、20、50 % 的词（或部分）求平均；所测输入数：",
    ),
    "figure": ("figure", "数值"),
    "edits": ("What would turn it", "怎样才会改变判断"),
    "no_edit": (
        "No change of a few words was found that turns the decision.",
        "没有找到改动几个词即可改变判断的方式。",
    ),
    "becomes": ("becomes", "变为"),
    "removed": ("taken out", "删去"),
    "tried": ("texts tried", "尝试的文本数"),
    "examples": ("Training rows behind it", "相关的训练数据"),
    "nearest": ("nearest", "最相近"),
    "supporting": ("most influence for it", "影响最大（支持）"),
    "opposing": ("most influence against it", "影响最大（反对）"),
    "where": ("where", "位置"),
    "label": ("label", "标签"),
    "nearness": ("cosine", "余弦"),
    "influence": ("influence", "影响"),
    "rows": ("rows", "行"),
    "overview": ("What speaks for each label", "各标签的代表词"),
    "by_label": ("Words by label", "各标签的词"),
    "columns_by_label": ("Columns by label", "各标签的列"),
    "overview_note": (
        "Mean score of a word, or a column, where the model gives the label, and how often it came there.",
        "模型给出该标签时一个词（或一列）的平均分数，以及出现次数。",
    ),
}
