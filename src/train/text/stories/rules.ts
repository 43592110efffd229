// rules.ts: the grammar of the stories: eight plots, each of sentences that take up who and what was named before.
import { parseRules, type Rules } from './grammar.ts';
import { FREE_RULES } from './words.ts';

/** Symbols that have no line here are words of a story's cast, or free. */
export const STORY_RULES: Rules = new Map([
  ...FREE_RULES,
  ...parseRules(`
story = {lost} | {sharing} | {rescue} | {building} | {counting} | {race} | {present} | {quarrel}
lost = The lost {thing.short}¶{opening}¶{owning} {losing}¶{asking} {searching} {finding}¶{ending}
sharing = {Hero} learns to share¶{opening}¶{owning} {wishing}¶{refusing} {regretting} {offering}¶{ending}
rescue = {Hero} and the {animal.one}¶{opening}¶{hearing} {trapped}¶{planning} {freeing} {feeding}¶{ending}
building = {Hero} and {friend} build {built.a}¶{opening}¶{suggesting} {working}¶{failing} {repairing}¶{ending}
counting = The {fruit.many} of {hero}¶{opening}¶{picking} {totalling}¶{dividing} {remaining}¶{ending}
race = The race to {place.mark}¶{opening}¶{challenging} {starting}¶{falling} {waiting} {arriving}¶{ending}
present = A present for {hero}¶{opening}¶{parcel} {guessing}¶{unpacking} {thanking}¶{ending}
quarrel = {Hero} and {friend} make peace¶{opening}¶{disputing} {parting}¶{regretting} {apologising}¶{ending}

opening = {who} {scene} {aside} | {scene} {Hero} was {hero.kind}. {aside} | {who} {habit} {scene} | {who} {scene} {aside} {aside}
who = {once} there was {hero.kind} called {hero}. | {Hero} was {hero.kind} who lived near {place.the}. | In a small house near {place.the} lived
  {hero}, {hero.kind}. | Everybody knew {hero}, {hero.kind} with {feature}.
feature = {shade} eyes | {shade} hair | {look.a} hat | {look.a} coat | {look} shoes | a loud laugh | a big smile
once = Once | Once upon a time | Long ago | Not so long ago
habit = {Hero.he} had a friend, and {hero.his} friend was called {friend}. | {Hero.he} liked to play with {friend}. | Every day {hero.he} went to
  {place.the}. | {Hero.he} always listened to {elder}. | {Hero.he} knew that {fact}.
scene = One {weather.day} {daytime} {hero} met {friend} {place.at} {place.the}. | It was {weather.a} {daytime}. {Hero} took {weather.take} and went
  to {place.the}. {Friend} was there too. | {Weather.now}. "Take {weather.take}," said {elder}. So {hero} took {weather.take} and walked with
  {friend} to {place.the}. | {Hero} and {friend} sat {place.at} {place.the}. {Weather.now}, and they felt {weather.feel}.
aside = {walking} | {wearing} | {chatting} | {resting}
walking = On the way they saw {sight} and {sight}. | They passed {sight}, {sight} and {sight}. | {Sight} stood beside the road. | Near {place.mark}
  {friend} found {sight}. | {Hero} counted {number} {look} {sights}.
wearing = {Friend} wore {look.a} {garment} and {look} shoes. | {Hero} had {look.a} {garment} on, and {friend} had {look.a} one. | "I like your
  {look} {garment}," said {friend} {manner}.
chatting = "Do you know that {truth}?" asked {friend} {manner}. "Yes, and {truth}," {answered} {hero}. | "{Truth}," said {friend} {manner}. | {Hero}
  talked about {sights}, and {friend} talked about {sights}. | They sang a song about {sight} and {number} {look} {sights}.
resting = They sat down and ate {dish} with {relish}. | {Friend} had {dish} in {friend.his} bag, and {hero} had {relish}. | "I am hungry," said
  {friend} {manner}. "Take some {dish}," {answered} {hero}.
manner = softly | loudly | kindly | at once | with a smile | with a laugh | in a low voice | after a while | and nodded | and sighed | and waited |
  and looked up
sight = {look.a} {sight.one} | {look.a} {sight.one} | {number} {look} {sights}
dish = bread | cake | pancakes | pie | porridge | potatoes | rice | soup
relish = apple sauce | butter | cheese | cream | honey | jam | mushrooms | nuts
garment = belt | cap | coat | jacket | scarf | shirt | sweater | vest
shade = black | blue | brown | dark | fair | green | grey | red
number = two | three | four | five | six | seven | eight | nine | ten | many | some
daytime = morning | afternoon | day
fact = {truth} | {truth} | {animal.a} lives in a {animal.home} | a friend helps a friend | good things take time

owning = {Hero} had {thing.a}. {keeping} | {Hero} carried {thing.a}. {keeping} | That day {hero} had {thing.a} with {hero.him}. {keeping}
keeping = {Thing.it} {thing.was} a present from {elder}. | {Thing.it} {thing.was} as good as {sight}. | {Hero.he} wanted to {thing.use} {thing.them}
  all day. | {Thing.it} {thing.was} the best {hero.he} ever had. | "{Thing.this} {thing.is} mine," {hero.he} said, "and I will {thing.use}
  {thing.them}."
losing = But when {hero.he} came to {place.mark}, the {thing.noun} {thing.was} gone! | Then {hero.he} looked around, and the {thing.noun}
  {thing.was} not there any more. | {Hero} ran and jumped, and when {hero.he} stopped, where {thing.was} the {thing.short}?
asking = "Where {thing.is} my {thing.short}?" {cried} {hero}. {replying} | "Oh no, I can't find my {thing.short}!" {cried} {hero}. {replying}
replying = "Don't be sad," said {friend}. "We will find {thing.them}." | "Let's look together," {answered} {friend}. | "When did you last
  {thing.use} {thing.them}?" asked {friend} {manner}. "{Place.at} {place.mark}," {answered} {hero}.
searching = They looked {direction}. {meeting} | First they went to {place.mark}, but the {thing.short} {thing.was} not there. {meeting} | {Hero}
  looked {direction}, and {friend} looked {direction}.
direction = high and low | left and right | under every stone | behind {place.mark} | up and down | near the gate | under {sight} | behind {sight}
meeting = There they saw only {sight} and {sight}. | {Animal.a} {animal.did} and ran away. | They met {animal.a} on the way, but the {animal.one}
  could not help them. | {Elder} came and helped them.
finding = At last {friend} saw the {thing.noun} {place.hidden}. "Here {thing.it} {thing.is}!" {cried} {friend.he}. {feeling} | Then {hero} looked
  {place.hidden}, and there {thing.it} {thing.was}! {feeling} | {Animal.a} sat {place.hidden}, and beside it {thing.was} the {thing.noun}. {feeling}

wishing = {Friend} looked at the {thing.noun}. "May I {thing.use} {thing.them} too?" {friend.he} asked. | "I wish I had {thing.a}," said {friend}.
  "May I {thing.use} yours?" | {Friend} had nothing to play with. "Please let me {thing.use} {thing.them}," {friend.he} said.
refusing = "No," {answered} {hero}. "{Thing.it} {thing.belongs} to me." | "No, {thing.this} {thing.is} mine," said {hero}, and {hero.he} held the
  {thing.short} tight. | But {hero} shook {hero.his} head and went to {place.mark}.
regretting = Then {hero} was alone, and {hero.he} was not happy. {lesson} | {Hero} sat down by {place.mark} and thought of {sight}. {lesson} | At
  home {hero} told {elder} about it, and {elder.he} nodded. {lesson}
lesson = {Hero.he} looked at {sight} for a long time. | "What would you want if you were {friend}?" asked {elder}. | "{Friend} is my best friend,"
  {hero.he} thought. | {Elder} only said that {fact}. | "{Hero}," said {elder}, "a friend is worth more than {thing.a}."
offering = So {hero} ran back to {friend}. "Come, we will {thing.use} {thing.them} together," {hero.he} said. {feeling} | "I am sorry," said {hero}.
  "You may {thing.use} {thing.them} first." {feeling}

hearing = Suddenly they heard a sound. {listening} | Something moved {place.hidden}. {listening} | "Hush," said {friend} {manner}. "Do you hear
  that?" {listening}
listening = {Hero} went closer, step by step. | {Friend} was afraid, but {hero} was not. | There was {sight}, and behind it something moved again. |
  They stood still and listened.
trapped = It was {animal.a}, and it could not get back to its {animal.home}. | {Animal.a} was there, and one of its feet was hurt. | There sat
  {animal.a}, small and {weather.feel}.
planning = "We must help it," said {hero} {manner}. | "What can we do?" asked {friend} {manner}. "{Animal.many} like {animal.food}," {answered}
  {hero}. | "Poor {animal.one}!" {cried} {friend}. {Hero} had a plan.
freeing = {Hero} took {weather.take} and laid it beside the {animal.one}. | Very slowly {hero} lifted the {animal.one} with both hands. | {Hero}
  held the {animal.one}, and {friend} ran to get {elder}.
feeding = They gave it {animal.food}, and soon the {animal.one} {animal.did}. {feeling} | {Friend} brought {animal.food}. The {animal.one} ate and
  {animal.did}. {feeling} | They carried it home to its {animal.home}. It {animal.did} as if to say thank you. {feeling}

suggesting = "Let's build {built.a}," said {hero}. "{Built.a} {built.for}?" asked {friend}. "Yes!" | "I want {built.a} {built.for}," said {friend}.
  "Then we will build one," {answered} {hero}. | "What shall we do today?" asked {friend}. "We can build {built.a} {built.for}," said {hero}.
working = They needed {built.of}. {Hero} brought {built.of} from home. | {Elder} gave them {built.of}, and they worked until noon. | {Friend} had
  {built.of}, and {hero} had time. So they began. | They needed {built.of}, but they found only {sight}. Then {elder} brought {built.of}.
failing = But {built.the} fell down with a crash. {upset} | But then {animal.a} came and ran right into {built.the}. {upset} | At first {built.the}
  was too small. {upset}
upset = "Oh no!" {cried} {friend}. | {Hero} was very sad. | "All that work for nothing," said {friend} {manner}.
repairing = "We will try again," said {hero}, and they did. This time {built.the} was strong. {feeling} | {Elder} showed them how to do it better.
  Then {built.the} was ready. {feeling} | They took more time and more care, and at last they had {built.a} {built.for}. {feeling}

picking = {Hero} found {fruit.all} near {place.mark}. | {Elder} gave {hero} a bag with {fruit.all}. | {Hero} and {friend} picked {fruit.many} all
  {daytime}.
totalling = "Let me count them," said {hero}. "{Fruit.counted}!" {Hero.he} had {fruit.all}. | {Hero} counted: {fruit.counted}. There were
  {fruit.all}.
dividing = {Hero} gave {fruit.given} to {friend}. | "May I have some?" asked {friend} {manner}. {Hero} gave {friend.him} {fruit.given}. | {Animal.a}
  came and took {fruit.given}. {Friend} laughed.
remaining = Now {hero} had {fruit.rest}. {feeling} | Then there {fruit.was} {fruit.rest} in the bag. {feeling} | "I had {fruit.all}, and now I have
  {fruit.rest}," said {hero}. {feeling}

challenging = "I am faster than you," said {friend} {manner}. "Let's run to {place.mark}!" | "Who is first at {place.mark}?" {cried} {hero}. |
  {Hero} and {friend} wanted to know who was faster.
starting = "One, two, three, go!" said {elder}. | They stood side by side, and then they ran. | They ran past {sight} and past {sight}. | {Animal.a}
  {animal.did}, and off they went.
falling = {Friend} ran in front, but then {friend.he} fell. | Halfway there {friend} lost a shoe. | {Friend} forgot the way.
waiting = {Hero} saw it and stopped. "Are you all right?" {hero.he} asked. | {Hero} could have won, but {hero.he} waited for {friend}. | "Give me
  your hand," said {hero}.
arriving = Hand in hand they came to {place.mark}. {feeling} | They reached {place.mark} at the same time. "We both won!" {cried} {friend}.
  {feeling}

parcel = {Elder} had a parcel for {hero}. | {Look.a} parcel stood beside {place.mark}, and {hero} read {hero.his} name on it. | "This is for you,"
  said {elder}, and gave {hero} a parcel.
guessing = "What can it be?" asked {hero}. "{Guess}," said {friend}. | "Is it something to {thing.use}?" asked {friend}. | {Hero} shook it.
  "{Guess}," {hero.he} said.
guess = I think it is {sight} | perhaps {animal.a} lives in it | it may be full of {fruit.many} | I hope it is {sight} | it is too heavy for {sight}
unpacking = {Hero} opened it, and there {thing.was} {thing.a}! | Inside {thing.was} {thing.a}. "Now I can {thing.use} {thing.them}!" {cried} {hero}.
  | It held {thing.a}, and {hero} could not wait to {thing.use} {thing.them}.
thanking = "Thank you!" said {hero} to {elder}. {feeling} | {Hero} thanked {elder} and let {friend} {thing.use} {thing.them} first. {feeling}

disputing = "{Animal.many} live in a {animal.home}," said {hero}. "No, they don't," {answered} {friend}. | {Hero} wanted to go to {place.mark}, but
  {friend} wanted to look for {animal.many}. | "You never let me {thing.use} your {thing.short}," said {friend}.
parting = They did not say another word. | {Friend} went away without a word. | "Then I will play alone," said {hero} {manner}. | {Friend} went away
  and looked for {sight}.
apologising = The next day {hero} went to {friend} with {fruit.all}. "I am sorry," {hero.he} said. {feeling} | "Are we friends again?" asked {hero}.
  "Yes," {answered} {friend}. {feeling}

feeling = {Hero} was very {glad}. | They were both {glad}. | {Friend} laughed, and {hero} laughed too. | "What {weather.a} and happy day!" said
  {friend}.
glad = happy | glad | proud | pleased
cried = cried | called | shouted
answered = answered | replied | said
ending = In the evening {weather.end}. {moral} | {supper} Then {weather.end}. {moral} | {Then} they went home, and {weather.end}. {moral} | When
  {weather.end}, {hero} was in bed. {moral}
then = then | after that | at supper time | hand in hand
supper = At supper they ate {dish} with {relish}. | {Elder} made {elder.his} best {dish} with {relish}. | At home {elder} asked about the day, and
  {hero} told {elder.him} all about {sight}.
moral = {Hero} had learned that {fact}. | "Good night, {hero}," said {elder}. | And {hero} never forgot that day {place.at} {place.the}. | From that
  day on {hero} and {friend} were the best of friends. | {Hero.he} dreamed of {sight} and {sight}. | {Hero.he} dreamed of {animal.many}.
`),
]);
