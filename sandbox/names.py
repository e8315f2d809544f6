"""Words the seeded corps are made of."""

from __future__ import annotations


def words(text: str) -> list[str]:
    return text.split()


def pairs(text: str) -> list[tuple[str, str]]:
    """Names with their pinyin, which the userids are made of."""
    parts = words(text)
    return list(zip(parts[::2], parts[1::2], strict=True))


SURNAMES = pairs("""
    王 wang 李 li 张 zhang 刘 liu 陈 chen 杨 yang 黄 huang 赵 zhao 吴 wu 周 zhou 徐 xu 孙 sun 马 ma 朱 zhu 胡 hu
    郭 guo 何 he 林 lin 高 gao 罗 luo 郑 zheng 梁 liang 谢 xie 宋 song 唐 tang 许 xu 邓 deng 冯 feng 韩 han 曹 cao
    曾 zeng 彭 peng 萧 xiao 蔡 cai 潘 pan 田 tian 董 dong 袁 yuan 于 yu 余 yu 叶 ye 蒋 jiang 杜 du 苏 su 魏 wei
    程 cheng 吕 lv 丁 ding 沈 shen 任 ren 姚 yao 卢 lu 钟 zhong 姜 jiang 崔 cui 谭 tan 陆 lu 范 fan 汪 wang
    廖 liao 石 shi 金 jin 韦 wei 贾 jia 夏 xia 付 fu 方 fang 邹 zou 熊 xiong 白 bai 孟 meng
""")
GIVEN_WOMEN = pairs("""
    梅 mei 芳 fang 娜 na 敏 min 静 jing 丽 li 艳 yan 娟 juan 霞 xia 婷 ting 雪 xue 莉 li 洁 jie 燕 yan 颖 ying
    琳 lin 晓燕 xiaoyan 佳怡 jiayi 雨桐 yutong 思琪 siqi 欣怡 xinyi 诗涵 shihan 梦瑶 mengyao 子萱 zixuan
    慧敏 huimin 美玲 meiling 玉兰 yulan 秀英 xiuying
""")
GIVEN_MEN = pairs("""
    伟 wei 强 qiang 磊 lei 军 jun 勇 yong 杰 jie 涛 tao 明 ming 超 chao 刚 gang 平 ping 辉 hui 鹏 peng 浩 hao
    宇 yu 志强 zhiqiang 建国 jianguo 文博 wenbo 俊杰 junjie 子轩 zixuan 浩然 haoran 宇航 yuhang 天宇 tianyu
    嘉豪 jiahao 国栋 guodong 海涛 haitao 永康 yongkang
""")
NICKNAMES = words("""
    阿宁 小鹿 风轻云淡 往事随风 一米阳光 柠檬不酸 橙子 南风知我意 晚安 半夏 星辰大海 山野 云淡风清 静水流深
    平安是福 知足常乐 花开富贵 岁月静好 小太阳 阿呆 木子 若水 青柠 海盐味的风 慢慢来 西西 豆豆妈 可乐爸爸
    糖糖 团子 米粒 小鱼儿 大白 花花 一叶知秋 听雨 麦田 浅笑 夏天的风 初见 Lucky 努力ing 简单点 老吴 老陈
    胖虎 咖啡不加糖 秋水 暖阳 拾光 九月 初夏 子衿 阿飞 小北 鱼丸粗面 早点睡
""")
LATIN_NAMES = words("""
    Amy Bella Cindy David Eric Fiona Grace Henry Iris Jack Kevin Lily Mia Nina Oscar Peter Queenie Ray Sunny
    Tina Vivian Wendy Zoe
""")
EMOJI = words("🌸 🌻 🍀 ☀️ 🌙 🐟 🐱 🍊 ✨ 🌊 🎈 🍓 🦌 💪")
TITLES = words("先生 女士 老师 姐 哥 总")
TRADES = words("装修 瓷砖 建材 美业 母婴 健身 保险 二手车 房产 教培 花店 烘焙 茶叶 服装 摄影 物流")
CITIES = words("广州 深圳 佛山 东莞 上海 杭州 苏州 南京 成都 重庆 武汉 长沙 北京 天津 西安 厦门")
COMPANIES = words("远山 晨光 海纳 同行 云起 恒达 瑞祥 百川 弘毅 新禾 锦程 明德")
INDUSTRIES = words("科技 贸易 商贸 建材 文化传媒 供应链 餐饮管理 信息技术")
JOBS = words("采购 市场经理 行政 总经理 运营 店长 财务 工程师")

# name, place of the parent in this table (−1: the root)
DEPARTMENTS = (
    ("总经办", -1),
    ("销售中心", -1),
    ("销售一部", 1),
    ("销售二部", 1),
    ("华南区", 1),
    ("广州门店", 4),
    ("深圳门店", 4),
    ("客户服务部", -1),
    ("市场部", -1),
    ("财务部", -1),
    ("人力资源部", -1),
)
SELLING = (2, 3, 5, 6, 7)  # places of the departments whose members hold customers
OTHER = (0, 8, 9, 10)
POSITIONS = dict(zip((0, 2, 3), words("总经理 客户经理 客户经理"), strict=True))
POSITIONS |= dict(zip((5, 6, 7), words("门店顾问 门店顾问 客服专员"), strict=True))
POSITIONS |= dict(zip((8, 9, 10), words("市场专员 会计 人事专员"), strict=True))
LEADERS = {2: "销售一部经理", 3: "销售二部经理", 5: "店长", 6: "店长", 7: "客服主管"}

# tags of contacts: the department members are taken from (none: all), which of them, departments as a whole
STAFF_TAGS: dict[str, tuple[str, slice | None, tuple[str, ...]]] = {
    "销售一部骨干": ("销售一部", slice(0, 2), ()),
    "门店导购": ("", None, ("广州门店", "深圳门店")),
    "新员工": ("", slice(-2, None), ()),
    "活动执行组": ("销售二部", slice(0, 1), ("市场部",)),
}

TAG_GROUPS = {
    "客户等级": words("重要客户 一般客户 潜在客户 流失客户"),
    "来源渠道": words("门店扫码 抖音直播 朋友圈广告 老客推荐 展会活动 官网咨询"),
    "意向产品": words("护肤套装 会员卡 家居清洁 儿童系列 企业定制"),
    "跟进阶段": words("初步接触 需求确认 方案报价 已成交 复购"),
    "所在城市": CITIES[:8],
}
STATES = words("q1_store07 q1_store12 q2_live douyin_0618 moments_ad_3 expo_gz website referral sms_0901 pack_card")
ADD_WAYS = (1, 1, 1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 4, 5, 6, 10, 16, 16, 16, 201, 202, 0)
DESCRIPTIONS = words("""
    咨询过会员卡，想先试用 周末到店 对企业定制感兴趣，等报价 孩子3岁，关注儿童系列 老客户介绍，价格敏感
    喜欢晚上联系 已寄样品，待回访 生日在十月 需要开增值税发票 比较看重售后
""")
GROUP_NAMES = words("福利群 会员群 新品体验群 团购群 售后服务群 直播间粉丝群 周末活动群 老客专享群")
NOTICES = ("每周三上新，群内下单九折", "群内禁止发广告，谢谢配合", "本周六下午两点门店活动，欢迎到店", "")
